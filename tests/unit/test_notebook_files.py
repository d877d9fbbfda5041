"""Lab pages as notebooks: what JupyterLab shows is readable, and a learner's own work is not overwritten."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

import pytest

from labkit import config, notebook_files, paths
from labkit.commands import open as opening
from labkit.errors import LabError
from labkit.i18n import LANGUAGES, Language

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where notebooks are written."""
    monkeypatch.setattr(notebook_files, "NOTEBOOKS", tmp_path)
    return tmp_path


def plain(text: str, language: Language = "en") -> str:
    return notebook_files.plain(text, paths.BOOK / language / "labs" / "page.md", language)


def test_an_answer_is_folded_away_below_its_prediction() -> None:
    text = "::::{predict}\nHow long?\n\n:::{answer}\nA second.\n:::\n::::"
    shown = plain(text).splitlines()
    assert shown[0] == "**Predict**"
    assert shown.index("How long?") < shown.index("<details>") < shown.index("A second.") < shown.index("</details>")
    assert "先猜猜看" in plain(text, "zh-TW")


def test_what_only_the_site_needs_is_left_out() -> None:
    text = "(lab03)=\n# Lab\n\n:::{speaker-notes}\nBe quick.\n:::\nSee {doc}`the chapter <x/y>` on {term}`watcher`."
    assert plain(text) == "# Lab\n\nSee the chapter on watcher."


def test_code_that_a_page_includes_is_put_in() -> None:
    text = "```{literalinclude} ../../../labs/03-asset-watchers/solution/handle_payment.py\n:language: python\n```"
    assert "AssetWatcher(" in plain(text)


def test_of_code_that_a_page_includes_in_part_only_that_part_is_put_in() -> None:
    text = (
        "```{literalinclude} ../../../labs/03-asset-watchers/solution/handle_payment.py\n:language: python\n"
        ':start-after: "# [asset]"\n:end-before: "# [/asset]"\n```'
    )
    shown = plain(text)
    assert shown.startswith("```python\npayment_arrived = ")
    assert shown.endswith(")\n```")
    assert "import" not in shown
    assert "# [" not in shown


def test_code_of_a_class_begins_at_the_left_margin() -> None:
    text = (
        "```{literalinclude} ../../../labs/06-delivery-and-collapse/exercise/label_feed.py\n:language: python\n"
        ':dedent:\n:start-after: "# [run]"\n:end-before: "# [/run]"\n```'
    )
    shown = plain(text)
    assert shown.startswith("```python\nasync def run(")
    assert shown.endswith("commit([message])\n```")


def test_a_link_to_a_page_becomes_its_title() -> None:
    assert plain("See {doc}`../chapters/03-asset-watchers`.") == 'See "Asset watchers".'
    assert plain("看{doc}`../chapters/03-asset-watchers`。", "zh-TW") == "看「資源監看器」。"
    assert plain("看「{doc}`../chapters/03-asset-watchers`」。", "zh-TW") == "看「資源監看器」。"


def test_a_link_to_another_lab_page_leads_to_its_notebook() -> None:
    assert plain("Go on with {doc}`04-trigger-traps`.").endswith("](04-trigger-traps.ipynb).")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_directive_is_left_in_a_notebook(language: Language, folder: Path) -> None:
    notebook_files.write()
    for file in (folder / language).glob("*.ipynb"):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                text = "".join(cell["source"])
                assert ":::" not in text
                assert "{term}" not in text
                assert ")=\n" not in text


def test_a_notebook_that_a_learner_changed_is_left_alone(folder: Path) -> None:
    mine, *others = notebook_files.write()
    mine.write_text("mine", encoding="utf-8")
    before = [other.stat().st_mtime_ns for other in others]
    notebook_files.write()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert [other.stat().st_mtime_ns for other in others] != before
    notebook_files.write(anew=True)
    assert mine.read_text(encoding="utf-8") != "mine"
    assert folder in mine.parents


@pytest.mark.parametrize("page", sorted((paths.BOOK / "en" / "labs").glob("*.md")), ids=lambda page: page.stem)
def test_no_assertion_stands_between_a_reader_who_turns_the_dials_and_the_table(page: Path) -> None:
    for cell in re.findall(r"^```\{code-cell\}.*\n((?:.*\n)*?)```$", page.read_text(encoding="utf-8"), re.MULTILINE):
        body = ast.parse(cell).body
        shows = bool(body) and isinstance(body[-1], ast.Expr)
        assert not (shows and any(isinstance(one, ast.Assert) for one in body)), f"show first, insist later:\n{cell}"


@pytest.mark.parametrize("lab", config.labs(), ids=lambda one: one.id)
def test_a_labs_pages_are_those_of_the_book_and_the_first_one_comes_first(lab: config.Lab) -> None:
    pages = notebook_files.pages(lab)
    assert pages[0] == lab.page
    for language in LANGUAGES:
        assert {one.stem for one in (paths.BOOK / language / "labs").glob(f"{lab.id}-*.md")} == set(pages)


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("06", ["06-collapse", "06-delivery"]),
        ("6", ["06-collapse", "06-delivery"]),
        ("06-delivery-and-collapse", ["06-collapse", "06-delivery"]),
        ("06-delivery", ["06-delivery"]),
        ("04-base-event-trigger", ["04-base-event-trigger", "04-trigger-traps"]),
        ("04-trigger-traps", ["04-trigger-traps"]),
    ],
)
def test_a_lab_opens_with_all_its_pages_and_a_page_alone(name: str, pages: list[str]) -> None:
    assert opening.pages_of(name) == pages


def test_what_is_neither_a_lab_nor_a_page_is_refused() -> None:
    with pytest.raises(LabError, match="06-deliveries"):
        opening.pages_of("06-deliveries")
