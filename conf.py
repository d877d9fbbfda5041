"""The one Sphinx configuration, for both languages.

    BOOK_LANG=zh-TW python -m sphinx -W -n --keep-going -c . -d build/doctrees/zh-TW -b html book/zh-TW build/site/zh-TW

Environment:
    BOOK_LANG: `en` or `zh-TW`; which tree, and the words of the theme.
    BOOK_EXECUTE: `off` (default) or `cache`: run the notebooks, each set of cells once, for both languages.
    BOOK_PAGES: with `cache`, the lab pages to run, their names separated by blanks; all by default.
    BOOK_CACHE: where `cache` keeps its results. `./lab site` keys it by the labs and the lock, so none is stale.
    BOOK_STAMP: JSON `{airflow, date, cores, machine}`: what the notebooks ran on.
    BOOK_URL: the address the site will have. Without it there is no sitemap, and no canonical and hreflang links.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.errors import ConfigError

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))


def setting(name: str, allowed: tuple[str, ...]) -> str:
    """Return an environment variable that has to be one of a few words; the first is the default."""
    value = os.environ.get(name, allowed[0])
    if value not in allowed:
        msg = f"{name} must be one of {', '.join(allowed)}; it is {value!r}"
        raise ConfigError(msg)
    return value


book_languages = {"en": "English", "zh-TW": "繁體中文"}
book_lang = setting("BOOK_LANG", tuple(book_languages))
book_url = os.environ.get("BOOK_URL", "")
if book_url:
    book_url = book_url.rstrip("/") + "/"

WORDS = {
    "en": {
        "title": "Event-driven Airflow",
        "author": "The contributors of Event-driven Airflow",
        "search": "Search this course",
        "contents": "On this page",
    },
    "zh-TW": {
        "title": "事件驅動的 Airflow",
        "author": "「事件驅動的 Airflow」貢獻者",
        "search": "搜尋本課程",
        "contents": "本頁內容",
    },
}[book_lang]

project = WORDS["title"]
author = WORDS["author"]
copyright = "2026" + ("" if book_lang == "zh-TW" else ", ") + author
language = book_lang.replace("-", "_")
nitpicky = True

extensions = [
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "notfound.extension",
    "sphinxext.opengraph",
    # Ours, in book/_ext.
    "bilingual",
    "broker_numbers",
    "chaos_table",
    "zh_search",
    "cjk_softbreak",
    "glossary",
    "included",
    "ledger",
    "lesson",
    "predict",
    "selfcheck",
    "drawing",
    "notebooks",
    "page_facts",
    "passports",
    "scale_numbers",
    "verdicts",
]
exclude_patterns = ["**.ipynb_checkpoints"]
templates_path = ["book/_templates"]
# The theme speaks Simplified Chinese to `zh_TW`; sphinx.po here overrides it. The compiled .mo is not in git.
locale_dirs = [str(ROOT / "book" / "_locale")]
gettext_compact = False

# Pages.
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_links_external_new_tab = False
copybutton_exclude = ".linenos, .gp, .go"  # of a terminal session, copy what was typed

# Notebooks: MyST Markdown that talks to a running stack.
nb_execution_mode = setting("BOOK_EXECUTE", ("off", "cache"))
if nb_execution_mode == "cache" and not os.environ.get("BOOK_CACHE"):
    raise ConfigError("BOOK_EXECUTE=cache needs BOOK_CACHE: a folder that changes whenever the labs do")
nb_execution_cache_path = os.environ.get("BOOK_CACHE", "")
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_merge_streams = True

# Look.
# An included part of a file begins and ends with its marks' blank lines.
highlight_options = {"python": {"stripnl": True}}
html_theme = "sphinx_book_theme"
html_title = WORDS["title"]
html_static_path = ["book/_static"]
html_css_files = ["course.css"]
html_js_files = ["scripts/language.js", "scripts/plan.js"]
html_favicon = "book/_static/favicon.svg"
html_use_index = False
html_domain_indices = False
html_show_sphinx = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_sidebars = {"**": ["brand.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_context = {"default_mode": "auto"}  # without it, the theme logs "invalid theme mode"
html_theme_options = {
    "article_header_end": ["lang-switcher.html", "article-header-buttons.html"],
    "navbar_persistent": [],  # book theme 1.4 on pydata 0.20 draws a second search bar over the header otherwise
    "search_bar_text": WORDS["search"],
    "toc_title": WORDS["contents"],
    "footer_content_items": ["copyright.html"],  # its own has the author's name twice
    "show_navbar_depth": 2,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
if book_lang == "zh-TW":  # MyST-NB has no translations
    nb_code_prompt_show, nb_code_prompt_hide = "展開這一格", "收合這一格"

# Being found.
ogp_site_url = html_baseurl = f"{book_url}{book_lang}/" if book_url else ""
ogp_social_cards = {"enable": False}  # 1.4 s and 60 kB a page for pictures of text, without Chinese glyphs
ogp_enable_meta_description = True
notfound_urls_prefix = f"{urlsplit(book_url).path or '/'}{book_lang}/"
if book_url:
    extensions.append("sphinx_sitemap")
    sitemap_url_scheme = "{link}"  # the default puts the language into the address a second time
    sitemap_excludes = ["404.html", "search.html"]
