"""Runs the whole: every contender's limit, its latency at half of it, and the duel."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from broker_chart import CHARTS
from labkit import paths
from labkit.i18n import language
from tests.bench.brokers import duel as duels
from tests.bench.brokers import record, search
from tests.bench.brokers.bed import bed
from tests.bench.brokers.contenders import BATCH, CONTENDERS, SINGLE
from tests.bench.brokers.trial import even, jittered, poisson, taken_out
from tests.bench.circumstances import circumstances
from tests.bench.figures import Figure, console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.brokers.bed import Bed
    from tests.bench.brokers.contenders import Contender
    from tests.bench.brokers.trial import Trial

SEED = 34
DUEL = "duel"


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes:
        quick: Shorter streams and a coarser search; such a record is provisional.
        only: The contenders to measure, by name; all where empty. `duel` is one of the names.
        record: Write `book/broker-numbers.json`, which the pages show.
    """

    quick: bool = False
    only: tuple[str, ...] = ()
    record: bool = False

    @property
    def pace(self) -> Pace:
        """How long everything takes."""
        return QUICK if self.quick else FULL

    def wants(self, name: str) -> bool:
        """Tell whether something of that name is to be measured."""
        return not self.only or name in self.only


@dataclass(frozen=True)
class Pace:
    """How long everything takes.

    Attributes:
        seconds: A stream of the search.
        slow_seconds: The same below one event a second.
        half_seconds: The stream at half the load; longer for `half_events` events, up to three times.
        half_events: See there.
        steps: How often the interval is halved.
        messages: Of the duel.
        duel_seconds: For how long the single-shot trigger is watched in the duel, at least.
    """

    seconds: float
    slow_seconds: float
    half_seconds: float
    half_events: int
    steps: int
    messages: int
    duel_seconds: float


FULL = Pace(10, 16, 14, 14, 3, 10_000, 24)
QUICK = Pace(5, 8, 6, 6, 1, 2_000, 12)
NAMES = (*(one.name for one in CONTENDERS), DUEL)


def brokers(asked: Asked) -> Iterator[Figure]:
    """Measure, print, draw and write down; yield what has a bound."""
    began = time.monotonic()
    with bed() as bench:
        table: dict[str, Any] = {
            "provisional": asked.quick,
            "command": "./lab bench brokers" + (" --quick" if asked.quick else ""),
            **circumstances(bench.stack, record.PACKAGES),
            "rule": record.rule(
                seconds=asked.pace.seconds, slow_seconds=asked.pace.slow_seconds, halvings=asked.pace.steps
            ),
            "contenders": [measured(bench, one, asked.pace) for one in CONTENDERS if asked.wants(one.name)],
        }
        if asked.wants(DUEL):
            with _telling(DUEL) as tell:
                table["duel"] = duels.fight(bench, BATCH, SINGLE, asked.pace.messages, asked.pace.duel_seconds, tell)
    table["seconds"] = round(time.monotonic() - began)
    _show(table)
    folder = paths.BUILD / "bench"
    record.write(table, folder / "brokers.json")
    if table["contenders"]:
        by_name = {**table, "contenders": {row["name"]: row for row in table["contenders"]}}
        for name, draw in CHARTS.items():
            (folder / f"brokers-{name}.svg").write_text(draw(by_name, language()), encoding="utf-8")
    if asked.record:
        record.write(table, record.FILE)
    if "duel" in table:
        yield from duels.figures(table["duel"])


def measured(bench: Bed, contender: Contender, pace: Pace) -> dict[str, Any]:
    """Return a contender's row of the record."""
    trials: list[Trial] = []
    with _telling(contender.name) as tell, bench.awake(contender):
        capacity = None
        if contender.keeps:
            tell("a backlog")
            count = contender.backlog // (2 if pace is QUICK else 1)
            backlog = bench.try_stream(contender, [0.0] * count, rate=None, tell=tell)
            capacity = taken_out(backlog)

        def holds(rate: float) -> bool:
            trials.append(_stream(bench, contender, rate, pace, tell))
            return trials[-1].holds

        # A backlog is taken out by one who also begins tasks for it: it tells the order of magnitude, and not more.
        high = min(contender.highest, 1.4 * capacity) if capacity else contender.highest
        low = high * (0.4 if capacity else 0.1)
        limit = search.highest(holds, low, high, pace.steps, top=contender.keeps and not capacity)
        half_rate = (limit.rate or low) / 2
        seconds = min(max(pace.half_seconds, pace.half_events / half_rate), 3 * pace.half_seconds)
        count = max(3, round(half_rate * seconds))
        half = bench.try_stream(contender, poisson(count, seconds, SEED), rate=half_rate, tell=tell)
    whole = [one.rate for one in (*trials, half) if one.holds_in_runs and one.rate]
    return {
        "name": contender.name,
        "scheme": contender.scheme,
        "pattern": contender.pattern,
        "arrivals": "jittered" if contender.keeps else "even",
        "capacity": capacity and round(capacity, 2),
        "sustained": limit.rate and round(limit.rate, 2),
        "at_least": limit.at_least,
        "in_runs": round(max(whole), 2) if whole else None,
        "half": record.half_row(half),
        "trials": [record.trial_row(one) for one in trials],
    }


def _stream(bench: Bed, contender: Contender, rate: float, pace: Pace, tell: Callable[[str], None]) -> Trial:
    """Send one stream of the search: one event in each span, or evenly to what keeps nothing."""
    seconds = pace.seconds if rate >= 1 else pace.slow_seconds
    count = max(3, round(rate * seconds))
    offsets = jittered(count, count / rate, SEED) if contender.keeps else even(count, count / rate)
    told = bench.try_stream(
        contender, offsets, rate=rate, tell=lambda text: tell(f"{rate:.2f} a second: {text}")
    )  # fmt: skip
    mark = "[green]✓[/]" if told.holds else "[red]✗[/]"
    console.print(
        f"  {mark} {rate:8.2f}/s  {count} sent, {told.lost} lost, {told.stranded} stranded, "
        f"delay grew {told.growth:+.1f} s"
    )
    return told


@contextlib.contextmanager
def _telling(name: str) -> Iterator[Callable[[str], None]]:
    """Show what happens to a contender now, where somebody looks; afterwards how long it took."""
    began = time.monotonic()
    console.print(f"[bold]{name}[/]")
    with console.status(name) as status:
        yield lambda text: status.update(f"{name}: {text}")
    console.print(f"  [dim]{time.monotonic() - began:.0f} s[/]")


def _show(table: dict[str, Any]) -> None:
    """Print the record as a table."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    headings = ("", "backlog", "sustained", "in runs", "p50", "p95", "task", "lost", "stranded")
    for heading in headings:
        out.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in table["contenders"]:
        half, sign = row["half"], "≥" if row["at_least"] else ""
        limit = None if row["sustained"] is None else f"{sign}{row['sustained']}"
        recorded, lost = half["recorded"], f"{half['lost']}/{half['events']}"
        cells = (row["capacity"], limit, row["in_runs"], recorded["p50"], recorded["p95"], half["begun"]["p50"])
        out.add_row(row["name"], *("–" if cell is None else str(cell) for cell in cells), lost, str(half["stranded"]))
    console.print(out)
    console.print(
        "[dim]events a second; then, at half the sustained load: seconds to the asset event and to the task[/]"
    )
    console.print(f"[dim]{table['seconds']} s; build/bench/[/]")
