"""The course's words, one row a term in `book/glossary.yml`: a page of them, and a hover text wherever one is used.

`{term}` in a page is a link to the glossary whose title, shown on hover and on keyboard focus (course.css), is the word
in both languages with its meaning. It takes a term's id, or its name in either language, or other text with the id in
angle brackets.

Sphinx's own glossary would need every term written out in both trees; the words here are also what the language tests
check the pages and Airflow's zh-TW interface against, so they live in one file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

import yaml
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import ReferenceRole, SphinxDirective
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

FILE = Path(__file__).parents[1] / "glossary.yml"
PAGE = "glossary"


class Interface(TypedDict):
    """Where Airflow's own interface says the term: a locale file, a key in it, and the zh-TW string."""

    file: str
    key: str
    string: str


class Term(TypedDict):
    """One row of the file."""

    id: str
    en: str
    zh: str
    meaning: dict[str, str]
    ui: NotRequired[Interface]
    banned: NotRequired[list[str]]


@cache
def load(file: Path = FILE) -> tuple[Term, ...]:
    """Return the rows of the glossary, in the file's order."""
    return tuple(cast("list[Term]", yaml.safe_load(file.read_text(encoding="utf-8"))["terms"]))


def names(term: Term, lang: str) -> tuple[str, str]:
    """Return the term in the page's language and in the other one."""
    return (term["en"], term["zh"]) if lang == "en" else (term["zh"], term["en"])


def find(word: str) -> Term | None:
    """Return the term with that id or name; case does not matter."""
    wanted = word.casefold()
    return next((t for t in load() if wanted in {t["id"], t["en"].casefold(), t["zh"].casefold()}), None)


class GlossaryTerms(SphinxDirective):
    """All terms as a definition list, so that a phone shows them as well as a desk does."""

    def run(self) -> list[nodes.Node]:
        """Render the list; each term can be linked to as `term-<id>`."""
        self.env.note_dependency(str(FILE))
        lang = self.config.book_lang
        out = nodes.definition_list(classes=["glossary"])
        for row in sorted(load(), key=lambda row: row["en"].casefold()):
            here, there = names(row, lang)
            # docutils makes a `lang` attribute of a class `language-…`, so that a screen reader changes its voice.
            voice = "language-zh-TW" if lang == "en" else "language-en"
            other = nodes.inline("", there, classes=["glossary-other", voice])
            head = nodes.term("", "", nodes.Text(here), ids=[f"term-{row['id']}"])
            if there != here:
                head += [nodes.Text(" "), other]
            meaning, messages = self.parse_inline(row["meaning"][lang])
            body = nodes.definition("", nodes.paragraph("", "", *meaning), *messages)
            out += nodes.definition_list_item("", head, body)
        return [out]


class TermRole(ReferenceRole):
    """A word of the course, linked to its row."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a reference that is resolved once all pages are read."""
        self.env.note_dependency(str(FILE))
        row = find(self.target)
        if row is None:
            message = self.inliner.reporter.error(f"`{self.target}` is no term of {FILE.name}.", line=self.lineno)
            return [nodes.literal("", self.title)], [message]
        by_id = self.target == row["id"] and not self.has_explicit_title
        text = names(row, self.config.book_lang)[0] if by_id else self.title
        ref = pending_xref(
            "", nodes.inline("", text), refdomain="", reftype="course-term", reftarget=row["id"], refwarn=True
        )
        ref["refdoc"] = self.env.docname
        return [ref], []


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.reference | None:
    """Turn a term into a link with its hover text."""
    row = find(node["reftarget"]) if node["reftype"] == "course-term" else None
    if row is None:
        return None
    lang = app.config.book_lang
    here, there = names(row, lang)
    colon, brackets = (": ", f" ({there})") if lang == "en" else ("：", f"（{there}）")
    brackets = brackets if there != here else ""
    ref = make_refnode(app.builder, node["refdoc"], PAGE, f"term-{row['id']}", content)
    ref["classes"].append("course-term")
    ref["reftitle"] = f"{here}{brackets}{colon}{row['meaning'][lang].replace('`', '')}"
    return ref


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the page's directive and replace Sphinx's `term` role."""
    app.add_directive("glossary-terms", GlossaryTerms)
    app.add_role_to_domain("std", "term", TermRole(), override=True)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
