"""`{trigger-verdicts}`, the test bench's verdicts on triggers of Airflow's providers, and `{trigger-report}`, a report.

The verdicts stand in `labs/labkit/bench/verdicts.toml`, the report in a file for each language; tests compare both with
what the bench finds. A table with a column for each check would be too wide for a phone, so this is a list.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

FILE = Path(__file__).parents[2] / "labs" / "labkit" / "bench" / "verdicts.toml"
REPORTS = FILE.parents[3] / "tests" / "bench_triggers"

WORDS = {
    "en": {
        "on": {"files": "real files", "http": "a real HTTP server", "moto": "moto", "mock": "a mock of Kafka"},
        "kind": {"long-running": "Long-running", "yield-and-return": "Yields and returns"},
        "row": "{package} {version}, against {on}. {kind}. {note}",
    },
    "zh-TW": {
        "on": {"files": "真的檔案", "http": "真的 HTTP 伺服器", "moto": "moto", "mock": "Kafka 的模擬叢集"},
        "kind": {"long-running": "長時間執行", "yield-and-return": "送出就結束"},
        "row": "{package} {version}，對象是{on}。{kind}。{note}",
    },
}


def entries(lang: str) -> list[str]:
    """Return the verdicts as lines of a Markdown definition list."""
    words: dict[str, Any] = WORDS[lang]
    out = []
    for one in tomllib.loads(FILE.read_text(encoding="utf-8"))["trigger"]:
        told = {"on": words["on"][one["on"]], "kind": words["kind"][one["kind"]], "note": one["note"][lang]}
        signs = [f"✗&nbsp;`{check}`" for check in one["failed"]] + [f"–&nbsp;`{check}`" for check in one["open"]]
        out += [f"`{one['name']}` {' · '.join(signs) or '✓'}", f": {words['row'].format(**{**one, **told})}", ""]
    return out


class TriggerVerdicts(SphinxDirective):
    """The list; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Write the list as Markdown and have it parsed where it stands."""
        self.env.note_dependency(str(FILE))
        lines = entries(self.config.book_lang)
        section = nodes.container(classes=["trigger-verdicts"])
        self.state.nested_parse(StringList(lines, source=str(FILE)), self.content_offset, section)
        return [section]


class TriggerReport(SphinxDirective):
    """The bench's report on a trigger, as it was printed; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Read the file of the page's language."""
        file = REPORTS / f"report.{self.config.book_lang}.txt"
        self.env.note_dependency(str(file))
        text = file.read_text(encoding="utf-8").rstrip()
        return [nodes.literal_block(text, text, language="text", classes=["trigger-report"])]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directives."""
    app.add_directive("trigger-verdicts", TriggerVerdicts)
    app.add_directive("trigger-report", TriggerReport)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
