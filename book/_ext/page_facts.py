"""The line under a page's title: how long it takes, and for a notebook, where its outputs come from.

`minutes` stands in the page's front matter, because the agenda of an evening is added up from the same numbers. The
line is put into the HTML and not into the document: there, it would become the page's description and a search hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sphinx.util import logging

from notebooks import describe_run, has_outputs, is_notebook

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

LOGGER = logging.getLogger(__name__)
MINUTES = {"en": "About {} minutes.", "zh-TW": "約 {} 分鐘。"}


def facts(app: Sphinx, page: str, meta: dict[str, Any], doctree: nodes.document) -> list[str]:
    """Return the sentences, as HTML."""
    lang = app.config.book_lang
    out = []
    if minutes := meta.get("minutes"):
        if not str(minutes).isdigit():
            LOGGER.warning("minutes must be a whole number, not %r", minutes, location=page, type="book")
        out.append(MINUTES[lang].format(minutes))
    if is_notebook(doctree):
        out.append(describe_run(app.config.book_stamp if has_outputs(doctree) else None, lang))
    return out


def add_facts(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put the line under the title."""
    if doctree is None or not (lines := facts(app, page, context.get("meta") or {}, doctree)):
        return
    space = " " if app.config.book_lang == "en" else ""
    line = f'<p class="page-facts">{space.join(lines)}</p>'
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{line}", 1)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Hook into the pages."""
    app.setup_extension("notebooks")
    app.connect("html-page-context", add_facts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
