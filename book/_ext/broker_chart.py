"""Drawings of what sources of events sustain, made from the record that `./lab bench brokers` writes.

As wide as a phone, in the page's colours where there is a page. Nothing here knows Sphinx: the bench draws, too.
"""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FILE = Path(__file__).parents[1] / "broker-numbers.json"

NAMES = {
    "kafka-single": {"en": "Kafka, single-shot", "zh-TW": "Kafka，單發"},
    "kafka-batch": {"en": "Kafka, a batch per poll", "zh-TW": "Kafka，一次一批"},
    "kafka-shared": {"en": "Kafka, shared stream", "zh-TW": "Kafka，共用串流"},
    "sqs-single": {"en": "SQS, one call of 10", "zh-TW": "SQS，收 1 次、最多 10 則"},
    "sqs-batches": {"en": "SQS, ten calls of 10", "zh-TW": "SQS，收 10 次、每次最多 10 則"},
    "redis": {"en": "Redis pub/sub", "zh-TW": "Redis pub/sub"},
    "file": {"en": "One file", "zh-TW": "單一檔案"},
    "directory": {"en": "Eight flag files", "zh-TW": "八個旗標檔"},
    "outbox": {"en": "Outbox, a batch per poll", "zh-TW": "寄件匣，一次一批"},
}
WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "head": (
            "Source and pattern",
            "Sustained, events/s",
            "…into runs",
            "Half load: p50 / p95",
            "Lost, stranded",
        ),
        "row": (
            "**{limit}** events a second; all the way into runs: {whole}. At half of that: p50 {p50}, p95 {p95}; "
            "{lost} of {events} lost, {stranded} stranded."
        ),
        "limits": "Events a second that each source and pattern sustains",
        "limits_rows": "{name}: {value} a second",
        "latency": "Delay at half the sustained load, in seconds",
        "latency_rows": "{name}: until the asset event {recorded} (p95 {high}), until the task {begun}",
        "recorded": "to the asset event",
        "begun": "to the start of the task",
        "axis": {"limits": "events a second", "latency": "seconds"},
        "none": "none",
        "none_whole": "no rate that was tried (some were always stranded)",
        "least": "≥ ",
        "comma": "; ",
        "seconds": "{} s",
        "run": (
            "Measured {date} with `{command}` in {minutes} minutes: {cores} cores, {memory} GB, {system}; Airflow "
            "{airflow}, Kafka {kafka}, PostgreSQL {postgresql}, Python {python}. Your machine gives other numbers; the "
            "same command tells which."
        ),
        "provisional": " **Provisional**: a quick run, on a machine that had other work.",
    },
    "zh-TW": {
        "row": (
            "每秒 **{limit}** 個事件；一路到執行：{whole}。負載一半時：p50 {p50}，p95 {p95}；"
            "{events} 個掉了 {lost} 個，擱下 {stranded} 個。"
        ),
        "limits": "每種來源與寫法每秒撐得住多少事件",
        "limits_rows": "{name}：每秒 {value}",
        "latency": "在撐得住的一半負載下，事件要等幾秒",
        "latency_rows": "{name}：到資源事件 {recorded}（p95 {high}），到任務開始 {begun}",
        "recorded": "到資源事件",
        "begun": "到任務開始",
        "axis": {"limits": "每秒事件數", "latency": "秒"},
        "none": "沒有",
        "none_whole": "沒有哪個速率做得到（總有擱下的）",
        "least": "≥ ",
        "comma": "；",
        "seconds": "{} 秒",
        "run": (
            "{date}以 `{command}` 測量，花了 {minutes} 分鐘：{cores} 核心、{memory} GB、{system}；Airflow {airflow}、"
            "Kafka {kafka}、PostgreSQL {postgresql}、Python {python}。換一台電腦，數字就不同；同一個指令會告訴你。"
        ),
        "provisional": "**暫定數字**：這是快速測量，當時機器上還有別的工作。",
    },
}

LEFT, RIGHT = 12, 348
"""Where a chart's axis begins and ends, in a picture as wide as a phone."""


def load() -> dict[str, Any]:
    """Return the record, its contenders by name."""
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    table["contenders"] = {row["name"]: row for row in table["contenders"]}
    return table


def plain(value: float) -> str:
    """Return a number as people read it: counts as they are, of measured values two digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2g}" if value < 10 else f"{round(value, 1 - int(math.log10(value))):,.0f}"


def find(place: str, table: dict[str, Any]) -> Any:
    """Return what stands at a place of the record, `name.key.key`; a contender's name comes first, or a key.

    Raises:
        LookupError: Nothing does.
    """
    first, *rest = place.split(".")
    value: Any = table["contenders"].get(first, table.get(first))
    for key in rest:
        value = value[key] if isinstance(value, dict) else None
    if value is None or isinstance(value, dict | list):
        raise LookupError(place)
    return value


def sustained(row: dict[str, Any], words: dict[str, Any]) -> str:
    """Return the limit as people read it."""
    if row["sustained"] is None:
        return str(words["none"])
    return (words["least"] if row["at_least"] else "") + plain(row["sustained"])


def scale(low: float, high: float) -> Callable[[float], float]:
    """Return where a value stands on a logarithmic axis between two powers of ten."""
    width = math.log10(high / low)
    return lambda value: LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, math.log10(max(value, low) / low) / width))


def decades(values: Iterable[float]) -> tuple[float, float]:
    """Return the powers of ten around some values."""
    known = [value for value in values if value > 0]
    return 10.0 ** math.floor(math.log10(min(known))), 10.0 ** math.ceil(math.log10(max(known) * 1.01))


def picture(name: str, title: str, told: Sequence[str], height: int, body: Sequence[str]) -> str:
    """Return the SVG around a chart, with its text alternative."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 {height}" role="img" class="figure-svg" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(" ".join(told))}</desc><g font-size="13">'
    )
    return head + "".join(body) + "</g></svg>"


def axis(low: float, high: float, bottom: int, label: str) -> list[str]:
    """Return the axis below a chart, and a faint line at each power of ten."""
    place = scale(low, high)
    out = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        value, x = 10.0**power, place(10.0**power)
        anchor = "start" if x <= LEFT else "end" if x >= RIGHT else "middle"
        out += [
            f'<path d="M{x:.1f} 4V{bottom}" style="stroke:currentColor" stroke-opacity=".16" fill="none"/>',
            f'<text x="{x:.1f}" y="{bottom + 16}" font-size="12" text-anchor="{anchor}">{value:g}</text>',
        ]
    middle = (LEFT + RIGHT) / 2
    return [*out, f'<text x="{middle}" y="{bottom + 34}" font-size="12.5" text-anchor="middle">{label}</text>']


PRIMARY = "fill:var(--pst-color-primary, #0a7d91)"
SECOND = "fill:var(--pst-color-secondary, #8045e5)"


def limits(table: dict[str, Any], lang: str) -> str:
    """Return a bar for each contender."""
    words = WORDS[lang]
    rows = list(table["contenders"].values())
    low, high = decades([*(row["sustained"] or 0 for row in rows), 0.11])
    place = scale(low, high)
    body, told = axis(low, high, 42 * len(rows) + 4, words["axis"]["limits"]), []
    for number, row in enumerate(rows):
        y, name, value = 42 * number, NAMES[row["name"]][lang], sustained(row, words)
        told.append(words["limits_rows"].format(name=name, value=value))
        body += [
            f'<text x="{LEFT}" y="{y + 18}">{html.escape(name)}</text>',
            f'<text x="{RIGHT}" y="{y + 18}" text-anchor="end" font-weight="700">{value}</text>',
        ]
        if row["sustained"]:
            width = place(row["sustained"]) - LEFT
            body.append(f'<rect x="{LEFT}" y="{y + 25}" width="{width:.1f}" height="11" rx="2" style="{PRIMARY}"/>')
    return picture("broker-limits", words["limits"], told, 42 * len(rows) + 46, body)


def latency(table: dict[str, Any], lang: str) -> str:
    """Return two strips of dots for each contender: until the asset event, and until the task began."""
    words = WORDS[lang]
    rows = list(table["contenders"].values())
    low, high = decades(value for row in rows for key in ("recorded", "begun") for value in row["half"][key]["delays"])
    low = max(low, 0.1)
    place = scale(low, high)
    top = 44
    bottom = top + 54 * len(rows)
    body, told = axis(low, high, bottom, words["axis"]["latency"]), []
    for number, (key, colour) in enumerate((("recorded", PRIMARY), ("begun", SECOND))):
        body += [
            f'<circle cx="{LEFT + 5}" cy="{14 + 18 * number}" r="4.5" style="{colour}"/>',
            f'<text x="{LEFT + 16}" y="{18 + 18 * number}" font-size="12.5">{words[key]}</text>',
        ]
    for number, row in enumerate(rows):
        y, name, half = top + 54 * number, NAMES[row["name"]][lang], row["half"]
        middles = [in_seconds(half[key]["p50"], words) for key in ("recorded", "begun")]
        high95 = in_seconds(half["recorded"]["p95"], words)
        told.append(words["latency_rows"].format(name=name, recorded=middles[0], high=high95, begun=middles[1]))
        body += [
            f'<text x="{LEFT}" y="{y + 16}">{html.escape(name)}</text>',
            f'<text x="{RIGHT}" y="{y + 16}" text-anchor="end" font-weight="700">{" · ".join(middles)}</text>',
        ]
        for strip, (key, colour) in enumerate((("recorded", PRIMARY), ("begun", SECOND))):
            cy = y + 27 + 13 * strip
            body += [
                f'<circle cx="{place(value):.1f}" cy="{cy}" r="4" style="{colour}" fill-opacity=".35"/>'
                for value in half[key]["delays"]
            ]
            if half[key]["p50"]:
                x = place(half[key]["p50"])
                body.append(f'<path d="M{x:.1f} {cy - 6}v12" style="stroke:currentColor" stroke-width="2"/>')
    return picture("broker-latency", words["latency"], told, bottom + 42, body)


def in_seconds(value: float | None, words: dict[str, Any]) -> str:
    """Return a delay as people read it."""
    return str(words["none"]) if value is None else words["seconds"].format(plain(value))


CHARTS = {"limits": limits, "latency": latency}
