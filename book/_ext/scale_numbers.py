"""What watchers, events and runs cost, from `book/scale-numbers.json`, which `./lab bench scale --record` writes.

- `{scale-chart}`, with `watchers` or `poll`: a drawing
- `{scale-list}`, with `statements`, `rows` or `points`: what was counted, and how far the calculator is off; with
  `rest-statements` or `rest-cpu`: a table of watchers for which nothing comes; with `sizes`: what the calculator says
  of one load after the other, from a laptop's to one that Airflow is not for
- `{scale-run}`: where, when and with what it was measured
- the role `{scale}`: one number, named as `scale_chart.facts` names it
- `{capacity-calculator}`: `./lab plan` on the page. It needs JavaScript and no server: its constants are in the page
"""

from __future__ import annotations

import dataclasses
import html
import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

from broker_chart import plain
from measured_chart import MeasuredChart
from notebooks import say_date
from scale_chart import CHARTS, FILE, WORDS, cost, facts, key, load, runner_cpu, statements_a_minute

sys.path.insert(0, str(Path(__file__).parents[2] / "labs"))
from labkit import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

CATALOGUE = Path(plan.__file__).parent / "i18n" / "catalogue.toml"
EXAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("laptop", {"rate": 0.2, "pattern": "single", "batch": 1}),
    ("team", {"rate": 5, "pattern": "stream", "batch": 1, "watchers": 10, "triggerers": 2, "cores": 8}),
    ("batches", {"rate": 200, "pattern": "batch", "batch": 500}),
    ("firehose", {"rate": 100_000, "pattern": "batch", "batch": 500, "watchers": 10, "triggerers": 4, "cores": 32}),
)
"""Loads to begin with, and what differs from the usual."""
FORM = {
    "en": {
        "field": {
            "rate": "Messages a second, in all",
            "pattern": "The trigger",
            "batch": "Messages in an event, at most",
            "poll": "Seconds between two polls; 0 if the source calls",
            "watchers": "Watched assets",
            "dags": "Dags on each of them",
            "tasks": "Tasks of a run",
            "task_seconds": "Seconds that a task works",
            "triggerers": "Triggerers",
            "latency": "Way to the database and back, ms more than locally",
            "cores": "Cores of Airflow and its tasks",
            "slots": "parallelism",
            "active": "max_active_runs of a Dag",
            "capacity": "[triggerer] capacity",
        },
        "pattern": {
            "single": "returns after each event",
            "stream": "stays; an event for each message",
            "batch": "stays; one event for all that are there",
        },
        "example": {
            "laptop": "One laptop",
            "team": "Ten streams",
            "batches": "Batches",
            "firehose": "100,000 a second",
        },
        "examples": "Begin with:",
        "range": "From {low} to {high}.",
        "no_number": "A number, please.",
        "no_whole": "A whole number, please.",
        "title": "Capacity calculator",
        "more": "More settings",
        "script": "The calculator needs JavaScript. `./lab plan` says the same in a terminal.",
    },
    "zh-TW": {
        "field": {
            "rate": "每秒幾則訊息（全部合計）",
            "pattern": "觸發器的寫法",
            "batch": "一個事件最多裝幾則訊息",
            "poll": "兩次輪詢隔幾秒；來源會通知就填 0",
            "watchers": "有幾個資源被監看",
            "dags": "每個資源排了幾個 Dag",
            "tasks": "每次執行有幾個任務",
            "task_seconds": "任務本身要做幾秒",
            "triggerers": "幾個觸發者",
            "latency": "到資料庫來回，比本機多幾毫秒",
            "cores": "Airflow 與任務共有幾個核心",
            "slots": "parallelism",
            "active": "每個 Dag 的 max_active_runs",
            "capacity": "[triggerer] capacity",
        },
        "pattern": {
            "single": "送出一個事件就結束",
            "stream": "一直開著；每則訊息一個事件",
            "batch": "一直開著；有多少收多少，只送一個",
        },
        "example": {
            "laptop": "一台筆電",
            "team": "十條串流",
            "batches": "整批收",
            "firehose": "每秒十萬則",
        },
        "examples": "從這裡開始：",
        "range": "請填 {low} 到 {high}。",
        "no_number": "請填數字。",
        "no_whole": "請填整數。",
        "title": "容量計算機",
        "more": "更多設定",
        "script": "計算機需要 JavaScript；在終端機打 `./lab plan`，答案相同。",
    },
}
SIZES: dict[str, dict[str, Any]] = {
    "laptop": {"rate": 0.2, "pattern": "single"},
    "turn": {"rate": 1, "pattern": "single"},
    "stays": {"rate": 1, "pattern": "stream"},
    "streams": {"rate": 50, "pattern": "stream", "watchers": 10, "cores": 8},
    "batch": {"rate": 200, "pattern": "batch", "batch": 500},
    "batches": {"rate": 2_000, "pattern": "batch", "batch": 500, "watchers": 10, "cores": 8},
    "firehose": {"rate": 100_000, "pattern": "batch", "batch": 500, "watchers": 10, "triggerers": 4, "cores": 32},
    "front": {"rate": 1 / 60, "pattern": "single"},
}
"""Loads from small to large; each is kept or breaks as the chapter says, and a test sees to it."""
REST = (("file", 60), ("file", 1), ("directory", 60), ("directory", 1))
"""The columns of the tables at rest: a poll for each watcher, and one for all."""
AT_REST = (0, 1, 10, 50, 200)
"""Their rows: how many watchers."""
MORE = ("poll", "task_seconds", "latency", "slots", "active", "capacity")
"""Fields that fold away."""
SPOKEN = ("flow", "delay", "database", "growth", "cores", "first", "too_much", "never", "seconds")
"""What the calculator says as `./lab plan` does, in the same words."""


def spoken(lang: str) -> dict[str, Any]:
    """Return the words of the command line that the page needs, names of the limits included."""
    rows = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["plan"]
    words: dict[str, Any] = {name: rows[name][lang].replace("`", "") for name in SPOKEN}
    words["limit"], words["taken"] = rows["limit"][lang], rows["taken"][lang]
    words["limits"] = {
        name.removeprefix("limit_"): texts[lang] for name, texts in rows.items() if name.startswith("limit_")
    }
    return words


def calculator(constants: dict[str, Any], lang: str) -> str:
    """Return the calculator as HTML; `plan.js` brings it to life."""
    words, said = FORM[lang], spoken(lang)
    usual = plan.Asked()

    def field(name: str) -> str:
        label = html.escape(words["field"][name])  # type: ignore[index]
        if name == "pattern":
            choices = "".join(
                f'<option value="{key}">{html.escape(words["pattern"][key])}</option>'  # type: ignore[index]
                for key in plan.PATTERNS
            )
            return f'<label>{label}<select name="pattern">{choices}</select></label>'
        low, high = plan.LIMITS[name]
        step = "1" if name in plan.WHOLE else "any"
        value = getattr(usual, name)
        return (
            f'<label>{label}<input type="text" inputmode="decimal" name="{name}" value="{value:g}" '
            f'data-min="{low:g}" data-max="{high:.0f}" data-step="{step}" aria-describedby="plan-{name}-fault">'
            f'<span class="plan-fault" id="plan-{name}-fault" role="status"></span></label>'
        )

    names = [one.name for one in dataclasses.fields(plan.Asked)]
    plainly = "".join(field(name) for name in names if name not in MORE)
    folded = "".join(field(name) for name in names if name in MORE)
    reset = dataclasses.asdict(usual)
    buttons = "".join(
        f'<button type="button" data-example="{html.escape(json.dumps({**reset, **given}))}">'
        f"{html.escape(words['example'][name])}</button>"  # type: ignore[index]
        for name, given in EXAMPLES
    )
    limits = "".join(
        f'<tr data-limit="{name}"><th scope="row">{html.escape(text)}</th><td data-taken></td>'
        f'<td class="plan-scale" aria-hidden="true"><span data-bar></span></td></tr>'
        for name, text in said["limits"].items()
    )
    complaints = {name: words[name] for name in ("range", "no_number", "no_whole")}
    embedded = {"constants": constants, "words": {**said, **complaints}}
    data = json.dumps(embedded, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<div class="plan" data-capacity role="group" aria-label="{html.escape(str(words["title"]))}">'
        f'<script type="application/json">{data}</script>'
        f'<form><p class="plan-examples"><span>{words["examples"]}</span> {buttons}</p>'
        f'<div class="plan-fields">{plainly}</div>'
        f'<details class="disclosure"><summary>{words["more"]}</summary>'
        f'<div class="plan-fields">{folded}</div></details>'
        "</form>"
        '<div class="plan-answer" data-answer hidden aria-live="polite"><ul data-lines></ul>'
        f'<table><thead><tr><th scope="col">{said["limit"]}</th><th scope="col">{said["taken"]}</th><td></td></tr>'
        "</thead>"
        f"<tbody>{limits}</tbody></table><p><strong data-first></strong></p></div>"
        f"<noscript><p>{html.escape(str(words['script'])).replace('`', '')}</p></noscript></div>"
    )


class Calculator(SphinxDirective):
    """The calculator; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Write it into the page."""
        for file in (FILE, CATALOGUE, Path(plan.__file__)):
            self.env.note_dependency(str(file))
        return [nodes.raw("", calculator(load()["constants"], self.config.book_lang), format="html")]


class ScaleChart(MeasuredChart):
    """A chart of what watchers, events and runs cost."""

    file, load, charts = FILE, staticmethod(load), CHARTS


def statements(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return what each cause asks of the database, as a definition list: a table would be too wide for a phone."""
    out, constants = [], table["constants"]
    for cause, name in words["cards"].items():
        parts = words["comma"].join(
            words["part"].format(name=part, count=plain(round(causes[cause]["statements"])))
            for part, causes in constants["costs"].items()
            if causes.get(cause, {}).get("statements", 0) >= 0.5
        )
        total, writes = (plain(round(cost(constants, cause, kind))) for kind in ("statements", "writes"))
        out += [name, f": {words['card'].format(total=total, writes=writes, parts=parts)}", ""]
    return out


def rows(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return the rows that each cause leaves."""
    out = []
    for cause, name in words["rows"].items():
        left = words["comma"].join(
            words["row"].format(table=f"`{one}`", count=plain(round(count)))
            for one, count in table["constants"]["rows"][cause].items()
        )
        if left:
            out += [name, f": {left}", ""]
    return out


def points(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return what the calculator foresaw at three points, and what was counted."""
    out = []
    for name, row in table["counts"]["points"].items():
        rate = row["messages"] / row["seconds"]
        told, counted = (table["compared"][name][side] for side in ("foreseen", "counted"))
        text = words["point"].format(
            rate=plain(rate),
            **{what: plain(told[what]) for what in ("statements", "rows", "runs")},
            counted=plain(counted["statements"]),
            rows_counted=plain(counted["rows"]),
            runs_counted=plain(counted["runs"]),
        )
        out += [words["points"][name], f": {text}", ""]
    return out


def rest(cell: Callable[[tuple[Any, ...]], str], words: dict[str, Any]) -> list[str]:
    """Return a table of watchers for which nothing comes, a column for each way to look and interval."""
    head = words["rest"]
    out = [f"| {' | '.join(head)} |", f"|{'--:|' * len(head)}"]
    for watchers in AT_REST:
        # With no watcher there is nothing to look for, and nothing to share.
        keys = [(family, watchers, interval, 0) for family, interval in REST]
        cells = [cell(key) for key in keys] if watchers else [cell((*NOBODY, 0)), *[words["none_shared"]] * 3]
        out.append(f"| {watchers} | {' | '.join(cells)} |")
    return out


NOBODY = ("file", 0, 60)
"""The window without watchers."""


def rest_statements(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return what all of Airflow asks of the database in a minute at rest."""
    known = {key(row): row for row in table["counts"]["idle"]}
    return rest(lambda one: plain(round(statements_a_minute(known[one]))), words)


def rest_cpu(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return the share of a core that the triggers' process takes at rest."""
    known = {key(row): row for row in table["times"]["idle"]}
    return rest(lambda one: f"{runner_cpu(known[one]):.1f}", words)


def sizes(table: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return what the calculator says of one load after the other."""
    limits, out = words["limits"], []
    for name, given in SIZES.items():
        asked = plan.Asked(**given)
        told = plan.foresee(asked, plan.Constants.of(table))
        taken = told.loads[told.limit]
        shown = {field: plain(value) for field, value in given.items() if field not in {"pattern", "cores"}}
        out += [
            words["sizes"][name].format(cores=asked.cores, **shown),
            ": "
            + words["size"].format(
                limit=limits[told.limit],
                taken=plain(round(100 * taken)),
                over="" if taken <= 1 else words["over"],
                statements=plain(round(told.statements)),
                rows=plain(float(told.rows * plan.DAY)),
                sustained=plain(told.sustained),
            ),
            "",
        ]
    return out


LISTS = {
    "statements": statements,
    "rows": rows,
    "points": points,
    "rest-statements": rest_statements,
    "rest-cpu": rest_cpu,
    "sizes": sizes,
}


class ScaleList(SphinxDirective):
    """One of the lists; it has no body."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Have it parsed where it stands."""
        if self.arguments[0] not in LISTS:
            raise self.error(f"There is no list {self.arguments[0]}. There are: {', '.join(LISTS)}.")
        lang = self.config.book_lang
        for file in (FILE, CATALOGUE, Path(plan.__file__)):
            self.env.note_dependency(str(file))
        box = nodes.container(classes=["scale-numbers"])
        lines = LISTS[self.arguments[0]](load(), {**WORDS[lang], "limits": spoken(lang)["limits"]})
        self.state.nested_parse(StringList(lines, source=str(FILE)), self.content_offset, box)
        return [box]


class ScaleRun(SphinxDirective):
    """Where, when and with what it was measured."""

    def run(self) -> list[nodes.Node]:
        """Have it parsed where it stands."""
        self.env.note_dependency(str(FILE))
        table, lang = load(), self.config.book_lang
        words, counts, times = WORDS[lang], table["counts"], table["times"]
        machine = counts["machine"]
        text = words["run"].format(
            date=say_date(counts["date"], lang),
            command=table["command"],
            cores=machine["cores"],
            memory=machine["memory_gb"],
            system=machine["system"],
            **counts["versions"],
        )
        if not times["quiet"]:
            text += words["busy"].format(foreign=times["foreign"])
        box = nodes.container(classes=["scale-numbers"])
        self.state.nested_parse(StringList([text], source=str(FILE)), self.content_offset, box)
        return [box]


class ScaleNumber(SphinxRole):
    """One number of the record."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Look it up."""
        self.env.note_dependency(str(FILE))
        known = facts(load())
        if self.text not in known:
            message = self.inliner.reporter.error(f"{FILE.name} has nothing at {self.text!r}.", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.Text(plain(known[self.text]))], []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives and the role."""
    app.setup_extension("notebooks")
    app.add_directive("capacity-calculator", Calculator)
    app.add_directive("scale-chart", ScaleChart)
    app.add_directive("scale-list", ScaleList)
    app.add_directive("scale-run", ScaleRun)
    app.add_role("scale", ScaleNumber())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
