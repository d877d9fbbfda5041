"""What MyST-NB leaves to us: where outputs lie, what a reader is told about them, and what a picture among them shows.

MyST-NB writes `<outdir>/../jupyter_execute`, so the sites of two languages would share one folder and publish it; here
it lies beside the doctrees. It says nowhere when, or on which Airflow, the outputs it shows were made. And of a picture
it tells those who cannot see it the file's name, though a notebook keeps beside each what it shows, as plain text.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from docutils import nodes
from sphinx.errors import ConfigError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

RAN = {
    "en": "Run on Airflow {airflow} on {date}, on {cores} cores ({machine}).",
    "zh-TW": "輸出來自 Airflow {airflow}，{date}執行於 {cores} 核心的機器（{machine}）。",
}
NOT_RAN = {
    "en": "This build did not run the notebook; <code>./lab site</code> runs it and fills in the outputs.",
    "zh-TW": "這次建置沒有執行筆記本；<code>./lab site</code> 會執行它並填入輸出。",
}


class Stamp(TypedDict):
    """Where and when the notebooks ran; `./lab site` passes it as JSON in BOOK_STAMP."""

    airflow: str
    date: str
    cores: int
    machine: str


def read_stamp(text: str | None) -> Stamp | None:
    """Parse BOOK_STAMP; what is there must be whole."""
    if not text:
        return None
    try:
        stamp = json.loads(text)
        dt.date.fromisoformat(stamp["date"])
        missing = Stamp.__required_keys__ - stamp.keys()
    except (ValueError, TypeError, KeyError) as error:
        msg = f"BOOK_STAMP is no JSON object with an ISO date: {text!r}"
        raise ConfigError(msg) from error
    if missing:
        msg = f"BOOK_STAMP lacks {', '.join(sorted(missing))}: {text!r}"
        raise ConfigError(msg)
    return cast("Stamp", stamp)


def say_date(iso: str, lang: str) -> str:
    """Write a date as the language does."""
    day = dt.date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}" if lang == "en" else f"{day.year} 年 {day.month} 月 {day.day} 日"


def describe_run(stamp: Stamp | None, lang: str) -> str:
    """Return the sentence that stands on a notebook's page, as HTML."""
    if stamp is None:
        return NOT_RAN[lang]
    return RAN[lang].format_map({**stamp, "date": say_date(stamp["date"], lang)})


def is_notebook(doctree: nodes.Node | None) -> bool:
    """Tell whether the page has code cells."""
    return doctree is not None and any(
        node.get("nb_element") == "cell_code" for node in doctree.findall(nodes.container)
    )


def has_outputs(doctree: nodes.Node) -> bool:
    """Tell whether the page's cells were run."""
    return any(node.get("nb_element") == "cell_code_output" for node in doctree.findall(nodes.container))


def describe_pictures(_app: Sphinx, doctree: nodes.document) -> None:
    """Give each picture among the outputs the text that the notebook keeps beside it as its alternative."""
    for bundle in doctree.findall(nodes.container):
        if bundle.get("nb_element") != "mime_bundle":
            continue
        parts = [one for one in bundle.children if isinstance(one, nodes.container)]
        told = [one.astext() for one in parts if one.get("mime_type") == "text/plain"]
        for picture in bundle.findall(nodes.image):
            if told and "alt" not in picture:
                picture["alt"] = "; ".join(told[0].strip().splitlines())


def choose_pages(app: Sphinx, config: Config) -> None:
    """Leave out the notebooks that BOOK_PAGES does not name: each takes minutes, and a reader may want one."""
    if wanted := os.environ.get("BOOK_PAGES", "").split():
        pages = sorted(Path(app.srcdir).glob("labs/*.md"))
        config.nb_execution_excludepatterns = [f"labs/{page.name}" for page in pages if page.stem not in wanted]


def move_outputs(app: Sphinx) -> None:
    """Keep each language's outputs beside its doctrees."""
    folder = Path(app.doctreedir) / "jupyter_execute"
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder))  # type: ignore[attr-defined]


def check_stamp(app: Sphinx) -> None:
    """Read the stamp at the start, so that a bad one fails the build and not a page."""
    app.config.book_stamp = read_stamp(os.environ.get("BOOK_STAMP"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Run after MyST-NB has made its settings (it does so at the default priority)."""
    app.add_config_value("book_stamp", None, "html")
    app.connect("config-inited", choose_pages)
    app.connect("builder-inited", check_stamp)
    app.connect("doctree-read", describe_pictures)
    app.connect("builder-inited", move_outputs, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
