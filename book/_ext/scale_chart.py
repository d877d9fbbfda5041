"""Drawings and numbers of what watchers, events and runs cost, from the record that `./lab bench scale` writes.

As wide as a phone, in the page's colours. Nothing here knows Sphinx.
"""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker_chart import LEFT, PRIMARY, RIGHT, SECOND, axis, picture, plain, scale

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).parents[1] / "scale-numbers.json"

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "watchers": "Watchers for which nothing comes: what they ask of the database, and of the triggerer's processor",
        "watchers_rows": "{name}, {watchers} watchers, every {interval} s: {statements} statements a minute, {cpu} %.",
        "families": {
            "file": "a flag file each",
            "directory": "one scan of a directory for all",
            "sqs": "SQS, a queue's poll each",
            "kafka": "Kafka, a consumer each",
            "kafka-shared": "Kafka, one consumer for all",
            "failing": "SQS, the queue is missing",
        },
        "statements": "statements a minute, all of Airflow",
        "cpu": "triggers' process, % of a core",
        "every": "every {interval} s",
        "none": "no watcher",
        "poll": "The price of a poll interval: how long an event waits for the next poll, and what polling takes",
        "poll_rows": "Every {interval} s: an event waits {wait} s on average, 50 watchers take {cpu} %.",
        "poll_wait": "an event waits, seconds on average",
        "poll_cpu": "50 watchers on SQS, % of a core",
        "poll_flat": "the database, where polls are silent",
        "poll_axis": "seconds between two polls",
        "cards": {
            "event": "An asset event",
            "turn": "A trigger that is started again",
            "run": "A Dag run",
            "task": "A task",
        },
        "card": "{total} statements, {writes} of them writes ({parts}).",
        "part": "{name} {count}",
        "comma": ", ",
        "rows": {
            "event": "An asset event",
            "link": "An event in a run",
            "run": "A Dag run",
            "task": "A task",
        },
        "row": "{table} {count}",
        "points": {
            "single": "a trigger that returns, 2 tasks",
            "stream": "a stream, 2 Dags of 2 tasks",
            "batch": "batches of up to 500",
        },
        "rest": ("Watchers", "alone, 60 s", "alone, 1 s", "shared, 60 s", "shared, 1 s"),
        "none_shared": "–",
        "sizes": {
            "laptop": "{rate} a second, a trigger that returns after each; a laptop with {cores} cores",
            "turn": "{rate} a second, the same trigger and laptop",
            "stays": "{rate} a second, a trigger that stays; the same laptop",
            "streams": "{rate} a second, from {watchers} streams; {cores} cores",
            "batch": "{rate} a second, in batches of up to {batch}; the laptop again",
            "batches": "{rate} a second, from {watchers} sources, in batches of up to {batch}; {cores} cores",
            "firehose": "{rate} a second, the same with {triggerers} triggerers; {cores} cores",
            "front": "One event a minute, for all that something in front has taken; the laptop",
        },
        "size": (
            "First limit: {limit}, {taken} % of it taken{over}. About {statements} statements a second, {rows} rows a "
            "day; holds up to {sustained} a second."
        ),
        "over": " (**too much**)",
        "point": (
            "{rate} messages a second: {statements} statements a second foreseen, {counted} counted; {rows} rows "
            "foreseen, {rows_counted} counted; {runs} runs foreseen, {runs_counted} counted."
        ),
        "run": (
            "Counted {date} with `{command}`: {cores} cores, {memory} GB, {system}; Airflow {airflow} with its own "
            "settings, PostgreSQL {postgresql}, Kafka {kafka}, Python {python}."
        ),
        "busy": (
            " The machine had other work ({foreign} cores of it) while processor time and delays were taken: **these "
            "are provisional**. Statements and rows are exact all the same."
        ),
    },
    "zh-TW": {
        "watchers": "什麼事都沒發生的監看器：向資料庫要多少，又用掉觸發者多少處理器時間",
        "watchers_rows": "{name}，{watchers} 個監看器，每 {interval} 秒：每分鐘 {statements} 道敘述，{cpu} %。",
        "families": {
            "file": "各看一個旗標檔",
            "directory": "整個目錄一起掃一次",
            "sqs": "SQS，各自輪詢佇列",
            "kafka": "Kafka，各有一個消費者",
            "kafka-shared": "Kafka，共用一個消費者",
            "failing": "SQS，佇列不存在",
        },
        "statements": "整個 Airflow 每分鐘的敘述數",
        "cpu": "觸發器程序用掉一個核心的 %",
        "every": "每 {interval} 秒",
        "none": "沒有監看器",
        "poll": "輪詢間隔的代價：事件要等多久才輪到，輪詢又要花多少",
        "poll_rows": "每 {interval} 秒：事件平均等 {wait} 秒，50 個監看器用掉 {cpu} %。",
        "poll_wait": "事件平均要等幾秒",
        "poll_cpu": "50 個 SQS 監看器用掉一個核心的 %",
        "poll_flat": "資料庫（輪詢時不作聲的話）",
        "poll_axis": "兩次輪詢隔幾秒",
        "cards": {
            "event": "一個資源事件",
            "turn": "觸發器重新啟動一次",
            "run": "一次 Dag 執行",
            "task": "一個任務",
        },
        "card": "{total} 道敘述，其中 {writes} 道是寫入（{parts}）。",
        "part": "{name} {count}",
        "comma": "、",
        "rows": {
            "event": "一個資源事件",
            "link": "一個事件進到一次執行",
            "run": "一次 Dag 執行",
            "task": "一個任務",
        },
        "row": "{table} {count}",
        "points": {
            "single": "送出就結束的觸發器，2 個任務",
            "stream": "串流，2 個 Dag、各 2 個任務",
            "batch": "一批最多 500 則",
        },
        "rest": ("監看器", "各看各的，60 秒", "各看各的，1 秒", "共用，60 秒", "共用，1 秒"),
        "none_shared": "–",
        "sizes": {
            "laptop": "每秒 {rate} 則，送出就結束的觸發器；一台 {cores} 核心的筆電",
            "turn": "每秒 {rate} 則，同樣的觸發器，同一台筆電",
            "stays": "每秒 {rate} 則，留下來的觸發器；還是那台筆電",
            "streams": "每秒 {rate} 則，來自 {watchers} 條串流；{cores} 核心",
            "batch": "每秒 {rate} 則，一批最多 {batch} 則；又是那台筆電",
            "batches": "每秒 {rate} 則，來自 {watchers} 個來源，一批最多 {batch} 則；{cores} 核心",
            "firehose": "每秒 {rate} 則，其餘相同，{triggerers} 個觸發者；{cores} 核心",
            "front": "每分鐘一個事件，前面有別的系統把訊息收好了；那台筆電",
        },
        "size": (
            "最先碰到：{limit}，用了 {taken} %{over}。每秒約 {statements} 道敘述，一天 {rows} 列；"
            "撐得到每秒 {sustained} 則。"
        ),
        "over": "（**裝不下**）",
        "point": (
            "每秒 {rate} 則訊息：敘述估每秒 {statements} 道，數到 {counted} 道；資料列估 {rows} 列，數到 "
            "{rows_counted} 列；執行估 {runs} 次，數到 {runs_counted} 次。"
        ),
        "run": (
            "{date}以 `{command}` 數出來：{cores} 核心、{memory} GB、{system}；Airflow {airflow} 的原始設定，"
            "PostgreSQL {postgresql}、Kafka {kafka}、Python {python}。"
        ),
        "busy": (
            "量處理器時間與延遲的時候，機器上還有別的工作（佔了 {foreign} 個核心），"
            "**這些數字只是暫定**；敘述與資料列仍然精確。"
        ),
    },
}

SHOWN = (
    ("file", 0, 60), ("file", 50, 60), ("file", 50, 1), ("file", 200, 1), ("directory", 200, 1),
    ("sqs", 10, 60), ("sqs", 10, 1), ("kafka", 50, 1), ("kafka-shared", 50, 1),
    ("failing", 10, 60),
)  # fmt: skip
"""Which windows at rest the chart has; the record has more."""
SLOWEST = 60.0
"""The longest poll interval on the chart, in seconds; the shortest is 1."""


def load() -> dict[str, Any]:
    """Return the record."""
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def statements_a_minute(row: dict[str, Any]) -> float:
    """Return what all of Airflow asked of the database in a window."""
    return float(sum(count[0] for count in row["statements"].values()) / row["seconds"] * 60)


def runner_cpu(row: dict[str, Any]) -> float:
    """Return the share of a core that the triggers' process took in a window, in per cent."""
    return float(row["cpu"]["runner"]) / float(row["seconds"]) * 100


def cost(constants: dict[str, Any], cause: str, kind: str = "statements") -> float:
    """Return the statements of an event, a turn, a run or a task, of all parts together."""
    return float(sum(part.get(cause, {}).get(kind, 0.0) for part in constants["costs"].values()))


def facts(table: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that prose may name: what `{scale}` finds."""
    constants, counts, clean = table["constants"], table["counts"], table["counts"]["clean"]
    at_rest = [row for row in counts["idle"] if not row["dags"] and row["family"] not in {"failing", "sqs"}]
    by_key = {key(row): row for row in counts["idle"]}

    def asked(family: str, count: int, interval: int) -> int:
        row = by_key[family, count, interval, 0]
        return round(float(row["statements"]["triggerer"][0]) / float(row["seconds"]) * 60)

    rounds = {
        part: [row["statements"][part][0] / row["statements"][part][3] for row in at_rest]
        for part in ("scheduler", "triggerer")
    }
    causes = ("event", "run", "task")
    rows = constants["rows"]
    idle = constants["idle"]
    return {
        **{f"{cause}.statements": round(cost(constants, cause)) for cause in (*causes, "turn")},
        **{f"{cause}.writes": round(cost(constants, cause, "writes")) for cause in (*causes, "turn")},
        **{f"{cause}.rows": round(sum(rows[cause].values())) for cause in rows},
        "handled.statements": round(sum(cost(constants, cause) for cause in causes)),
        "handled.writes": round(sum(cost(constants, cause, "writes") for cause in causes)),
        "handled.rows": round(sum(sum(rows[cause].values()) for cause in rows)),
        **{f"round.{part}": round(sum(values) / len(values)) for part, values in rounds.items()},
        "failing.triggerer": asked("failing", 10, 60),
        "sqs.slow": asked("sqs", 10, 60),
        "sqs.fast": asked("sqs", 10, 1),
        "file.slow": asked("file", 50, 60),
        "file.fast": asked("file", 50, 1),
        "asset.statements": round(constants["asset"]["statements"] * 60, 1),
        "dag.statements": round(constants["dag"]["statements"] * 60, 1),
        **{f"idle.{part}": round(rates["statements"] * 60) for part, rates in idle.items()},
        "seconds.turn": constants["seconds"]["turn"],
        "seconds.pass": constants["seconds"]["pass"],
        "seconds.event": round(constants["seconds"]["event"] * 1000),
        **{f"takeover.{name}": value for name, value in table["times"]["takeover"].items()},
        "clean.seconds": clean["seconds"],
        "clean.before": sum(before for before, _ in clean["rows"].values()),
        "clean.after": sum(after for _, after in clean["rows"].values()),
        "clean.megabytes": round(clean["bytes"][0] / 1e6, 1),
        "clean.megabytes_after": round(clean["bytes"][1] / 1e6, 1),
        "clean.megabytes_vacuumed": round(clean["bytes"][2] / 1e6, 1),
        "day.rows": round(86_400 * sum(sum(rows[cause].values()) for cause in rows)),
        "seconds.handled": float(sum(constants["seconds"][name] for name in ("to_event", "to_run", "to_task"))),
        **{f"{rest_name(row)}.statements": round(statements_a_minute(row)) for row in counts["idle"]},
        **{f"{rest_name(row)}.cpu": round(runner_cpu(row), 1) for row in table["times"]["idle"]},
    }


def watchers(table: dict[str, Any], lang: str) -> str:
    """Return two bars for each set of watchers: statements a minute, and the triggers' processor time."""
    words = WORDS[lang]
    timed = {key(row): row for row in table["times"]["idle"]}
    known = {key(row): row for row in table["counts"]["idle"]}
    rows = [known[(*which, 0)] for which in SHOWN]
    highest = max(statements_a_minute(row) for row in rows)
    most = max(runner_cpu(timed[key(row)]) for row in rows) or 1
    body, told = [], []
    for number, (label, colour) in enumerate((("statements", PRIMARY), ("cpu", SECOND))):
        body += [
            f'<rect x="{LEFT}" y="{8 + 18 * number}" width="10" height="10" style="{colour}"/>',
            f'<text x="{LEFT + 16}" y="{17 + 18 * number}" font-size="12.5">{words[label]}</text>',
        ]
    top, step, middle = 48, 44, 190.0
    for number, row in enumerate(rows):
        y = top + step * number
        asked, used = statements_a_minute(row), runner_cpu(timed[key(row)])
        name = words["families"][row["family"]] if row["watchers"] else words["none"]
        every = words["every"].format(interval=plain(row["interval"])) if row["watchers"] else ""
        title = f"{row['watchers']} · {name} · {every}" if row["watchers"] else name
        told.append(
            words["watchers_rows"].format(
                name=name,
                watchers=row["watchers"],
                interval=plain(row["interval"]),
                statements=plain(round(asked)),
                cpu=f"{used:.1f}",
            )
        )
        widths = (middle - LEFT - 50) * asked / highest, (RIGHT - middle - 52) * used / most
        body += [
            f'<text x="{LEFT}" y="{y + 14}" font-size="12.5">{html.escape(title)}</text>',
            _bar(LEFT, y + 20, widths[0], PRIMARY),
            f'<text x="{middle - 6}" y="{y + 30}" font-size="12" text-anchor="end">{round(asked):,}</text>',
            _bar(middle + 6, y + 20, widths[1], SECOND),
            f'<text x="{RIGHT}" y="{y + 30}" font-size="12" text-anchor="end">{used:.1f} %</text>',
        ]
    return picture("scale-watchers", words["watchers"], told, top + step * len(rows) + 4, body)


def _bar(x: float, y: float, width: float, style: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{max(0.0, width):.1f}" height="10" rx="2" style="{style}"/>'


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what names a window at rest."""
    return row["family"], row["watchers"], row["interval"], row["dags"]


def rest_name(row: dict[str, Any]) -> str:
    """Return a window at rest as prose names it: `rest.file.200.1`, watchers and the interval last."""
    name = f"rest.{row['family']}.{row['watchers']}.{row['interval']}"
    return f"{name}.dags" if row["dags"] else name


def poll(table: dict[str, Any], lang: str) -> str:
    """Return what a poll interval costs: the wait, the triggers' processor time; the database does not care."""
    words, each = WORDS[lang], table["constants"]["cpu"]["poll"]["sqs"]
    rest = table["constants"]["cpu"]["idle"]["runner"]
    place, bottom, top = scale(1, 100), 200, 66

    def height(value: float, most: float) -> float:
        return bottom - (bottom - top) * value / most

    intervals = [10 ** (step / 20 * math.log10(SLOWEST)) for step in range(21)]
    waits = [interval / 2 for interval in intervals]
    shares = [100 * (rest + 50 * each / interval) for interval in intervals]
    told = [
        words["poll_rows"].format(
            interval=plain(interval), wait=plain(interval / 2), cpu=f"{100 * (rest + 50 * each / interval):.1f}"
        )
        for interval in (1.0, 5.0, 60.0)
    ]
    body = axis(1, 100, bottom, words["poll_axis"])
    flat = "stroke:currentColor;stroke-dasharray:3 4"
    lines = (
        (waits, SLOWEST / 2, PRIMARY.replace("fill", "stroke"), words["poll_wait"], f"{waits[-1]:.0f}"),
        (shares, max(shares), SECOND.replace("fill", "stroke"), words["poll_cpu"], f"{max(shares):.0f}"),
        ([0.5] * len(intervals), 1.0, flat, words["poll_flat"], ""),
    )
    for number, (values, most, style, label, top_value) in enumerate(lines):
        points = " ".join(
            f"{place(interval):.1f},{height(value, most):.1f}"
            for interval, value in zip(intervals, values, strict=True)
        )
        body += [
            f'<polyline points="{points}" style="{style};fill:none" stroke-width="2.5"/>',
            f'<path d="M{LEFT} {14 + 18 * number}h16" style="{style}" stroke-width="2.5"/>',
            f'<text x="{LEFT + 22}" y="{18 + 18 * number}" font-size="12.5">{html.escape(label)}</text>',
        ]
        if top_value:
            x = place(SLOWEST) + 4 if number == 0 else LEFT + 4
            body.append(f'<text x="{x:.1f}" y="{top + 4}" font-size="12" font-weight="700">{top_value}</text>')
    return picture("scale-poll", words["poll"], told, bottom + 42, body)


CHARTS: dict[str, Callable[[dict[str, Any], str], str]] = {"watchers": watchers, "poll": poll}
