"""`{trigger-verdicts}`, the test bench's verdicts on triggers of Airflow's providers, and `{trigger-report}`, a report.

The verdicts stand in `labs/labkit/bench/verdicts.toml`, the report in a file for each language; tests compare both with
what the bench finds. A column for each check would be too wide for a phone, so the table names those not passed.
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
        "head": ("Trigger", "Not passed", "Kind", "What it shows"),
        "passed": "nothing: ✓",
        "on": {"files": "real files", "http": "a real HTTP server", "moto": "moto", "mock": "a mock of Kafka"},
        "kind": {"long-running": "long-running", "yield-and-return": "yields and returns"},
        "against": "{package} {version}, against {on}",
    },
    "zh-TW": {
        "head": ("觸發器", "沒通過的", "類型", "看到了什麼"),
        "passed": "無：✓",
        "on": {"files": "真的檔案", "http": "真的 HTTP 伺服器", "moto": "moto", "mock": "Kafka 的模擬叢集"},
        "kind": {"long-running": "長時間執行", "yield-and-return": "送出就結束"},
        "against": "{package} {version}，對象是{on}",
    },
}


def rows(lang: str) -> list[tuple[str, str, str, str]]:
    """Return the table's rows as Markdown."""
    words: dict[str, Any] = WORDS[lang]
    out = []
    for one in tomllib.loads(FILE.read_text(encoding="utf-8"))["trigger"]:
        against = words["against"].format(**{**one, "on": words["on"][one["on"]]})
        signs = [f"✗&nbsp;`{check}`" for check in one["failed"]] + [f"–&nbsp;`{check}`" for check in one["open"]]
        out.append(
            (
                f"`{one['name']}`<br>{against}",
                "<br>".join(signs) or words["passed"],
                words["kind"][one["kind"]],
                one["note"][lang],
            )
        )
    return out


class TriggerVerdicts(SphinxDirective):
    """The table; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Write the table as Markdown and have it parsed where it stands."""
        self.env.note_dependency(str(FILE))
        lang = self.config.book_lang
        lines = [WORDS[lang]["head"], ("---",) * 4, *rows(lang)]
        text = ["| " + " | ".join(line) + " |" for line in lines]
        section = nodes.container(classes=["trigger-verdicts"])
        self.state.nested_parse(StringList(text, source=str(FILE)), self.content_offset, section)
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
