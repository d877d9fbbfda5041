"""The drawing of when each scheme acknowledges: one lane for each, from the broker to the database.

As wide as a phone, in the page's colours. What a crash does in each stretch is told by the line's pattern first.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passport_data import Passport

TAKEN, HANDED, STORED = 30, 165, 300
"""Where a lane has its three moments: taken from the broker, handed over, in the database."""

MARKS = {"on-read": TAKEN, "before": 97, "after": 232, "persisted": 332}
"""Where a lane has its acknowledgement. `persisted` is no scheme's: Kafka's shared stream, to compare with."""

SHARED = "KafkaSharedStreamTrigger"

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "title": "When each scheme acknowledges",
        "moments": ("taken", "handed over", "in the database"),
        "ack": "acknowledged",
        "lost": "a crash here loses it",
        "doubled": "a crash here may double it",
        "not": "(no scheme)",
        "rows": {
            "on-read": "{name}: acknowledged as it is read, before it is handed over",
            "before": "{name}: acknowledged before it is handed over",
            "after": "{name}: its place is saved after it is handed over, and before or after it is in the database",
            "never": "{name}: never acknowledged",
            "persisted": "{name}: acknowledged after it is in the database",
        },
        "stop": ". ",
    },
    "zh-TW": {
        "title": "每個 scheme 在什麼時候確認",
        "moments": ("拿到", "交出", "寫進資料庫"),
        "ack": "確認",
        "lost": "在這裡當掉會遺失",
        "doubled": "在這裡當掉可能重複",
        "not": "（不是 scheme）",
        "rows": {
            "on-read": "{name}：讀取時就確認，在交出之前",
            "before": "{name}：交出之前確認",
            "after": "{name}：交出之後才存位置，可能早於也可能晚於寫進資料庫",
            "never": "{name}：從不確認",
            "persisted": "{name}：寫進資料庫之後才確認",
        },
        "stop": "。",
    },
}


def draw(passports: Sequence[Passport], lang: str) -> str:
    """Return the drawing as SVG."""
    words = WORDS[lang]
    lanes = [(one.name, one.ack, "") for one in passports]
    lanes.append((SHARED, "persisted", words["not"]))
    rows = words["rows"]
    told = words["stop"].join(rows[ack].format(name=name) for name, ack, _ in lanes)
    top, step = 68, 48
    bottom = top + step * len(lanes)
    out = [
        f'<svg class="figure-svg passport-moments" viewBox="0 0 360 {bottom + 66}" role="img">',
        f"<title>{html.escape(words['title'])}</title><desc>{html.escape(told)}</desc>",
    ]
    for x, text, anchor in zip((TAKEN, HANDED, STORED), words["moments"], ("start", "middle", "end"), strict=True):
        at = {"start": 8, "middle": x, "end": 352}[anchor]
        out.append(f'<text class="name" x="{at}" y="18" text-anchor="{anchor}">{text}</text>')
        out.append(f'<path class="moment" d="M {x} 26 V {bottom - 14}"/>')
    for number, (name, ack, note) in enumerate(lanes):
        out += _lane(name, ack, note, top + step * number)
    out += _legend(bottom + 4, words)
    return "\n".join([*out, "</svg>"])


def _lane(name: str, ack: str, note: str, y: int) -> list[str]:
    muted = ' class="name"' if note else ""
    label = f'<text{muted} x="8" y="{y - 14}"><tspan class="scheme">{html.escape(name)}</tspan>'
    label += f' <tspan class="name">{html.escape(note)}</tspan></text>' if note else "</text>"
    mark = MARKS.get(ack)
    out = [label, f'<path class="lane" d="M {TAKEN} {y} H {max(STORED, mark or 0)}"/>']
    if ack == "persisted":
        out.append(f'<path class="doubled" d="M {STORED} {y} H {mark}"/>')
    else:
        if ack == "after":
            out.append(f'<path class="doubled" d="M {HANDED} {y} H {mark}"/>')
        out.append(f'<path class="lost" d="M {mark or TAKEN} {y} H {STORED}"/>')
    if mark is not None:
        out.append(f'<circle class="ack" cx="{mark}" cy="{y}" r="6"/>')
    return out


def _legend(y: int, words: dict[str, Any]) -> list[str]:
    out = [f'<circle class="ack" cx="22" cy="{y}" r="6"/><text class="name" x="44" y="{y + 5}">{words["ack"]}</text>']
    for number, name in enumerate(("lost", "doubled"), start=1):
        at = y + 22 * number
        out.append(
            f'<path class="{name}" d="M 8 {at} H 36"/><text class="name" x="44" y="{at + 5}">{words[name]}</text>'
        )
    return out
