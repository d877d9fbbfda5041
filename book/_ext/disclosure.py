"""`<details>` as docutils nodes: content that opens on a click or with Enter, without any JavaScript.

docutils has no such node (sphinx-design keeps its own behind its `dropdown` directive); predictions and self-checks
both need one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

    Visitor = Callable[[HTML5Translator, nodes.Element], None]


class disclosure(nodes.General, nodes.Element):  # noqa: N801  docutils names nodes in lower case
    """The box; its first child is a `disclosure_summary`."""


class disclosure_summary(nodes.General, nodes.TextElement):  # noqa: N801
    """The line that is always seen, and opens the rest."""


def fold(summary: list[nodes.Node], body: list[nodes.Node], *, classes: list[str]) -> disclosure:
    """Return `body` folded away under `summary`."""
    return disclosure("", disclosure_summary("", "", *summary), *body, classes=["disclosure", *classes])


def _open(tag: str) -> Visitor:
    def visit(self: HTML5Translator, node: nodes.Element) -> None:
        self.body.append(self.starttag(node, tag, ""))

    return visit


def _close(tag: str) -> Visitor:
    def depart(self: HTML5Translator, _node: nodes.Element) -> None:
        self.body.append(f"</{tag}>\n")

    return depart


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the two nodes."""
    app.add_node(disclosure, html=(_open("details"), _close("details")))
    app.add_node(disclosure_summary, html=(_open("summary"), _close("summary")))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
