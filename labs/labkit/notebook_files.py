"""The lab pages as `.ipynb` files, for JupyterLab, VS Code and the tests.

The pages are MyST; JupyterLab shows plain Markdown. So directives become what Markdown has: answers and solutions
are folded away in `<details>`, code that a page includes is put in, what only the site needs is left out.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from typing import TYPE_CHECKING

from labkit import paths
from labkit.i18n import LANGUAGES, Language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from labkit.config import Lab

NOTEBOOKS = paths.BUILD / "notebooks"

_LEFT_OUT = frozenset({"speaker-notes", "toctree"})
_FOLDED = frozenset({"answer", "dropdown"})
_HEADINGS: dict[str, dict[Language, str]] = {
    "questions": {"en": "Questions", "zh-TW": "這一頁回答的問題"},
    "objectives": {"en": "Afterwards you can", "zh-TW": "讀完這一頁，你能夠"},
    "keypoints": {"en": "Key points", "zh-TW": "重點整理"},
    "predict": {"en": "Predict", "zh-TW": "先猜猜看"},
    "answer": {"en": "See what happens", "zh-TW": "看看結果"},
}

_QUOTES: dict[Language, tuple[str, str]] = {"en": ('"', '"'), "zh-TW": ("「", "」")}

_OPENING = re.compile(r"^(:{3,}|`{3,})\{([\w-]+)\}\s*(.*)$")
_LABEL = re.compile(r"^\([\w-]+\)=$")
_ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`<]+?)(?:\s*<[^`>]*>)?`")
_OPTION = re.compile(r"^:(?P<key>[\w-]+):\s*\"?(?P<value>[^\"]*)\"?$")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def pages(lab: Lab) -> list[str]:
    """Return the names of a lab's pages, each a notebook: the first page first, the others by name."""
    found = sorted(page.stem for page in (paths.BOOK / LANGUAGES[0] / "labs").glob(f"{lab.id}-*.md"))
    return sorted(found, key=lambda page: page != lab.page)


def write(*, anew: bool = False) -> list[Path]:
    """Write the notebooks of both languages.

    Args:
        anew: Replace notebooks that a learner has changed, too.

    Returns:
        All of them, those that were left alone included.
    """
    import jupytext  # noqa: PLC0415  slow to import, needed here only

    record = NOTEBOOKS / "written.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    files = []
    for language in LANGUAGES:
        for page in sorted((paths.BOOK / language / "labs").glob("*.md")):
            target = NOTEBOOKS / language / f"{page.stem}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            files.append(target)
            name = f"{language}/{target.name}"
            if not anew and target.exists() and known.get(name) != _digest(target):
                continue  # somebody has worked in it
            notebook = jupytext.read(page)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = plain(cell.source, page, language)
            jupytext.write(notebook, target)
            known[name] = _digest(target)
    record.write_text(json.dumps(known, indent=2), encoding="utf-8")
    return files


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def plain(text: str, page: Path, language: Language) -> str:
    """Return MyST as plain Markdown.

    Args:
        text: One Markdown cell.
        page: The page it stands on; what it includes is named from there.
        language: For the headings that directives bring with them.
    """
    return "\n".join(_lines(text.splitlines(), page, language)).strip("\n")


def _lines(lines: list[str], page: Path, language: Language) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        opening = _OPENING.match(line)
        if opening:
            fence, name, argument = opening.groups()
            end = next((n for n in range(position, len(lines)) if lines[n].rstrip() == fence), len(lines))
            yield from _directive(name, argument, lines[position:end], page, language)
            position = end + 1
        elif not _LABEL.match(line):
            yield _ROLE.sub(lambda role: _spoken(role, page, language), line)


def _spoken(role: re.Match[str], page: Path, language: Language) -> str:
    """Return what a role says on a page: its text, or the title of the page that it names.

    Another lab page is a notebook beside this one, so it becomes a link. The title of any other page stands in
    quotation marks: the sentence around it would run into it otherwise.
    """
    if role["name"] != "doc" or "<" in role[0]:
        return role["text"]
    target = page.parent / f"{role['text']}.md"
    title = _TITLE.search(target.read_text(encoding="utf-8")) if target.exists() else None
    if not title:
        return role["text"]
    if target.parent == page.parent:
        return f"[{title[1]}]({target.stem}.ipynb)"
    opening, closing = _QUOTES[language]
    quoted = role.string[: role.start()].endswith(opening)
    return title[1] if quoted else f"{opening}{title[1]}{closing}"


def _included(source: str, options: dict[str, str]) -> str:
    """Return the part of a file between the two marks that `literalinclude` was given, moved to the left margin."""
    if mark := options.get("start-after"):
        source = source.partition(mark)[2].partition("\n")[2]
    if mark := options.get("end-before"):
        source = source.partition(mark)[0]
    return textwrap.dedent(source).strip("\n")


def _directive(name: str, argument: str, body: list[str], page: Path, language: Language) -> Iterator[str]:
    if name in _LEFT_OUT:
        return
    if name == "literalinclude":
        source = (page.parent / argument).resolve()
        options = {found["key"]: found["value"] for line in body if (found := _OPTION.match(line.strip()))}
        yield from ("```python", _included(source.read_text(encoding="utf-8"), options), "```")
        return
    heading = argument or _HEADINGS.get(name, {}).get(language, "")
    inner = list(_lines(body, page, language))
    if name in _FOLDED:
        yield from ("<details>", f"<summary>{heading}</summary>", "", *inner, "", "</details>")
        return
    if heading:
        yield from (f"**{heading}**", "")
    yield from inner
