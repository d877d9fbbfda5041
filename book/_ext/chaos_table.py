"""`{chaos-table}`: what `./lab chaos` counted, from `labs/06-delivery-and-collapse/chaos.json`.

A card for each source of events, and in it a line for each fault: a table of nine columns would be too wide for a
phone. Each line says in words what became of the messages; colour only repeats it. A fault that makes no sense for a
source stands there with the reason.
"""

from __future__ import annotations

import functools
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

LABS = Path(__file__).parents[2] / "labs"
COUNTED = LABS / "06-delivery-and-collapse" / "chaos.json"
SOURCES = sorted(LABS.glob("[0-9][0-9]-*/lab.toml"))
WITHOUT = LABS / "labkit" / "brokers" / "without.toml"
CATALOGUE = LABS / "labkit" / "i18n" / "catalogue.toml"

WORDS = {
    "en": {
        "lost": "{lost} lost",
        "doubled": "{doubled} doubled",
        "dead": "dead letters: {refused}",
        "late": "late: {longest:.1f} s",
        "ok": "ok",
        "without": "does not apply: {reason}",
        "missing": "not run",
        "colon": ": ",
        "comma": ", ",
    },
    "zh-TW": {
        "lost": "遺失 {lost} 則",
        "doubled": "重複 {doubled} 次",
        "dead": "無效信件 {refused} 則",
        "late": "遲到：{longest:.1f} 秒",
        "ok": "正常",
        "without": "不適用：{reason}",
        "missing": "沒有跑",
        "colon": "：",
        "comma": "、",
    },
}
COUNTS = {"lost": "lost", "doubled": "doubled", "dead": "refused", "late": "late"}
"""What a line can say, the worst first → the count in `chaos.json` that makes it say so."""


class ChaosError(Exception):
    """The counts are not what a table can be made of."""


@functools.cache
def faults() -> dict[str, dict[str, str]]:
    """Return the faults in the order of `labkit.chaos.FAULTS`, and what each does for how long (`LASTS` there)."""
    found: dict[str, dict[str, str]] = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["fault"]
    return found


@dataclass(frozen=True)
class Card:
    """A source of events.

    Attributes:
        name: What the command calls it.
        title: What it is, for each language.
        rows: Its row of `chaos.json` for each fault that was tried.
        without: Why a fault makes no sense for it: fault → language → reason.
    """

    name: str
    title: dict[str, str]
    rows: dict[str, dict[str, Any]]
    without: dict[str, dict[str, str]]

    @property
    def missing(self) -> list[str]:
        """The faults that make sense and were not tried."""
        return [fault for fault in faults() if fault not in self.rows and fault not in self.without]


def load(counted: Path = COUNTED) -> list[Card]:
    """Return a card for each source, in the order in which they were first counted.

    Args:
        counted: What `./lab chaos --all` kept.

    Raises:
        ChaosError: A row names a source or a fault that there is not, lacks a count, or stands there twice; or what it
            counted makes no sense.
    """
    labs = [tomllib.loads(file.read_text(encoding="utf-8")) for file in SOURCES]
    sources = {one["name"]: one for lab in labs for one in lab.get("chaos", [])}
    without = tomllib.loads(WITHOUT.read_text(encoding="utf-8"))
    cards: dict[str, Card] = {}
    for row in json.loads(counted.read_text(encoding="utf-8")):
        name, fault = row.get("scheme"), row.get("fault")
        if name not in sources:
            msg = f"No lab.toml has a [[chaos]] called {name!r}; there are: {', '.join(sources)}."
            raise ChaosError(msg)
        if fault not in faults():
            msg = f"{counted.name} has a fault {fault!r} that the table has no words for."
            raise ChaosError(msg)
        if lacking := {*COUNTS.values(), "longest", "delays"} - row.keys():
            msg = f"{counted.name}: {name} {fault} lacks {', '.join(sorted(lacking))}."
            raise ChaosError(msg)
        # Served before it was sent: two clocks, or a serving that is not this message's.
        if early := [delay for delay in row["delays"] if delay < 0]:
            msg = f"{counted.name}: {name} {fault} has a negative delay ({early[0]} s): count it again."
            raise ChaosError(msg)
        reasons = without.get(sources[name].get("broker", "kafka"), {})
        if fault in reasons:
            msg = f"{counted.name} has {name} {fault}, of which {WITHOUT.name} says: {reasons[fault]['en']}."
            raise ChaosError(msg)
        rows = cards.setdefault(name, Card(name, sources[name]["title"], {}, reasons)).rows
        if fault in rows:
            msg = f"{counted.name} has {name} {fault} twice."
            raise ChaosError(msg)
        rows[fault] = row
    return list(cards.values())


def verdicts(row: dict[str, Any], lang: str) -> list[tuple[str, str]]:
    """Return what became of the messages: pairs of a kind (`lost`, `doubled`, `dead`, `late`, `ok`) and words."""
    found = [(kind, WORDS[lang][kind].format(**row)) for kind, count in COUNTS.items() if row[count]]
    return found or [("ok", WORDS[lang]["ok"])]


def _with_code(text: str) -> list[nodes.Node]:
    """Return text in which what stands between backticks is code: there, a quotation mark stays what it is."""
    pieces = enumerate(text.split("`"))
    return [nodes.literal("", piece) if place % 2 else nodes.Text(piece) for place, piece in pieces if piece]


class ChaosTable(SphinxDirective):
    """The cards; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Return the cards."""
        for file in (COUNTED, WITHOUT, CATALOGUE, *SOURCES):
            self.env.note_dependency(str(file))
        try:
            cards = load()
        except ChaosError as error:
            raise self.error(str(error)) from error
        return [nodes.container("", *(self._card(one) for one in cards), classes=["chaos-cards"])]

    def _card(self, one: Card) -> nodes.container:
        lang = self.config.book_lang
        words = WORDS[lang]
        head = nodes.paragraph("", "", nodes.literal("", one.name), classes=["chaos-source"])
        about = nodes.paragraph("", "", *_with_code(one.title[lang]), classes=["chaos-about"])
        list_ = nodes.bullet_list("", classes=["chaos-faults"])
        for fault in faults():
            if fault in one.rows:
                list_ += self._line(one.name, fault, verdicts(one.rows[fault], lang))
            elif fault in one.without:
                list_ += self._line(
                    one.name, fault, [("without", words["without"].format(reason=one.without[fault][lang]))]
                )
        box = nodes.container("", head, about, list_, classes=["chaos-card"])
        if one.missing:
            rest = nodes.paragraph("", words["missing"] + words["colon"], classes=["chaos-missing"])
            for number, fault in enumerate(one.missing):
                rest += [nodes.Text(words["comma"])] if number else []
                rest += nodes.literal("", fault)
            box += rest
        return box

    def _line(self, name: str, fault: str, found: list[tuple[str, str]]) -> nodes.list_item:
        line = nodes.paragraph("", "", nodes.literal("", fault), nodes.Text(" "))
        for kind, text in found:
            classes = ["chaos-without"] if kind == "without" else ["verdict", f"chaos-{kind}"]
            line += [nodes.inline("", text, classes=classes), nodes.Text(" ")]
        return nodes.list_item("", line, classes=[f"chaos-of-{name}-{fault}"])


class ChaosFaults(SphinxDirective):
    """What each fault is, as a list; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        words = WORDS[self.config.book_lang]
        list_ = nodes.bullet_list("")
        for fault, about in faults().items():
            text = nodes.Text(words["colon"] + about[self.config.book_lang])
            list_ += nodes.list_item("", nodes.paragraph("", "", nodes.literal("", fault), text))
        return [list_]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("chaos-table", ChaosTable)
    app.add_directive("chaos-faults", ChaosFaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
