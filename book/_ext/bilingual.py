"""From a page to the same page in the other language: for readers (a link) and for search engines (hreflang).

sphinx-book-theme has no language switcher (its issue 449), and the version switcher of the theme below it needs a JSON
file fetched at run time. Here both trees are known when the site is built, so plain links do.

Where the other tree lacks the page, the link leads to its home page; the parity tests keep that from happening on main.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docutils import nodes
from sphinx.util.osutil import relative_uri

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

GENERATED = {"search"}  # pages that Sphinx makes in each language, without a source


class Alternate(NamedTuple):
    """One page in one language, as the templates see it."""

    code: str
    label: str
    href: str
    current: bool
    missing: bool


def alternates(app: Sphinx, page: str) -> list[Alternate]:
    """Return the page in every language, links relative to the page."""
    config = app.config
    out = []
    for code, label in config.book_languages.items():
        missing = page not in GENERATED and not (Path(app.srcdir).parent / code / f"{page}.md").exists()
        target = config.root_doc if missing else page
        # The two sites are siblings, so a link climbs to their common folder and down again.
        here, there = (f"{name}.html" for name in (f"{config.book_lang}/{page}", f"{code}/{target}"))
        out.append(Alternate(code, label, relative_uri(here, there), code == config.book_lang, missing))
    return out


def _hreflang(code: str, href: str) -> str:
    return f'<link rel="alternate" hreflang="{code}" href="{href}">\n'


def add_context(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give the template its links, and the page's head its hreflang tags.

    A 404 page is served under any address, so its links must not be relative; sphinx-notfound-page sees to everything
    but these.
    """
    links = alternates(app, page)
    root = app.config.book_url
    if page == app.config.notfound_pagename:
        prefix = app.config.notfound_urls_prefix.removesuffix(f"{app.config.book_lang}/")
        links = [link._replace(href=f"{prefix}{link.code}/index.html") for link in links]
    elif doctree is not None and root:  # search engines take whole addresses only
        codes = [link.code for link in links if not link.missing]
        tags = [_hreflang(code, f"{root}{code}/{page}.html") for code in codes]
        tags.append(_hreflang("x-default", f"{root}{codes[0]}/{page}.html"))
        context["metatags"] = context.get("metatags", "") + "".join(tags)
    context["alternates"] = links


def root_404(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Make the links in the 404 page's text absolute; sphinx-notfound-page does so for the theme's links and images."""
    if page == app.config.notfound_pagename:
        for link in doctree.findall(nodes.reference):
            if link.get("internal"):
                link["refuri"] = app.config.notfound_urls_prefix + link["refuri"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the settings that every extension of the book reads, and the switcher's context."""
    app.add_config_value("book_lang", "en", "env", types=str)
    app.add_config_value("book_languages", {}, "html", types=dict)
    app.add_config_value("book_url", "", "html", types=str)
    app.connect("html-page-context", add_context)
    app.connect("doctree-resolved", root_404)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
