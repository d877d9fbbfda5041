"""A picture that a notebook drew tells those who cannot see it what it shows."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document

import notebooks


def page(*parts: tuple[str, nodes.Node]) -> nodes.document:
    """Return a page with an output that there is in several kinds, as MyST-NB makes it."""
    document = new_document("page")
    bundle = nodes.container(nb_element="mime_bundle")
    bundle += [nodes.container("", content, mime_type=kind) for kind, content in parts]
    document += bundle
    return document


@pytest.mark.parametrize("turned", [False, True])
def test_a_picture_has_the_plain_text_beside_it_as_its_alternative(*, turned: bool) -> None:
    parts = [
        ("image/svg+xml", nodes.image(uri="0abc.svg")),
        ("text/plain", nodes.literal_block("", "plain: servings = 3\ncareful: servings = 2\n")),
    ]
    document = page(*(reversed(parts) if turned else parts))
    notebooks.describe_pictures(None, document)  # type: ignore[arg-type]  it needs none
    (picture,) = document.findall(nodes.image)
    assert picture["alt"] == "plain: servings = 3; careful: servings = 2"


def test_what_the_page_itself_says_of_a_picture_stays_and_other_pictures_are_left_alone() -> None:
    document = page(
        ("image/png", nodes.image(uri="1.png", alt="a cup")), ("text/plain", nodes.literal_block("", "<Image>"))
    )
    document += nodes.image(uri="2.png")
    notebooks.describe_pictures(None, document)  # type: ignore[arg-type]  it needs none
    assert [one.get("alt") for one in document.findall(nodes.image)] == ["a cup", None]
