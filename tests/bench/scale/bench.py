"""Runs the whole: the loads, the points, `airflow db clean`, and watchers for which nothing comes."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import psycopg2
from rich.table import Table

from labkit import paths
from labkit.airflow.statements import Statements
from tests.bench.circumstances import circumstances
from tests.bench.figures import Figure, console
from tests.bench.scale import fit, record, windows
from tests.bench.scale.bed import bed
from tests.bench.scale.takeover import takeover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.scale.bed import Bed

SECONDS, QUICK_SECONDS = 30.0, 10.0
"""Of a window at rest."""
OLD = 20
"""So few rows of a table say nothing of the bytes that one takes."""


def scale(*, quick: bool = False, recording: bool = False) -> Iterator[Figure]:
    """Measure, print and write down; yield what has a bound: how far the calculator is off.

    Args:
        quick: Fewer windows, and shorter ones.
        recording: Write `book/scale-numbers.json`, too.
    """
    began = time.monotonic()
    measured: dict[str, Any] = {"idle": [], "loads": {}, "points": {}}
    with bed() as bench, Statements(bench.stack.state) as log:
        measured["circumstances"] = circumstances(bench.stack)
        sizes = bench.table_sizes()
        for one in windows.LOADS_QUICK if quick else windows.LOADS:
            measured["loads"][one.name] = _load(bench, log, one)
        for name, (one, _) in windows.POINTS.items():
            measured["points"][name] = {**_load(bench, log, one), "messages": one.messages}
        after = bench.table_sizes()
        measured["bytes"] = {
            table: round((size - sizes[table][1]) / (rows - sizes[table][0]))
            for table, (rows, size) in after.items()
            if rows - sizes[table][0] >= OLD
        }
        measured["clean"] = _clean(bench)
        for rest in windows.IDLE_QUICK if quick else windows.IDLE:
            with _telling(f"{rest.watchers} watchers, {rest.family}, {rest.interval:g} s, {rest.dags} more Dags"):
                row = windows.rest(bench, log, rest, QUICK_SECONDS if quick else SECONDS).row()
            measured["idle"].append({name: getattr(rest, name) for name in record.NAMED} | row)
        with _telling("a triggerer ends, and another takes over"):
            measured["takeover"] = takeover(bench)
    measured["seconds"] = round(time.monotonic() - began)
    table = record.made_of(measured, record.read() if recording else None)
    record.write(table, paths.BUILD / "bench" / "scale.json")
    if recording:
        record.write(table, record.FILE)
    _show(table)
    yield from figures(table)


def figures(table: dict[str, Any]) -> Iterator[Figure]:
    """Compare what the calculator says with what was counted at the points."""
    for name, row in table["counts"]["points"].items():
        foreseen, counted = fit.compared(table, name, row)
        for what, value in counted.items():
            off = abs(foreseen[what] / value - 1) * 100
            yield Figure(f"calculator, {name}: {what} a second off", off, "%", 25)


def _load(bench: Bed, log: Statements, what: windows.Load) -> dict[str, Any]:
    with _telling(f"{what.name}: {what.messages} messages to {len(what.dags)} Dags of {what.tasks} tasks"):
        return windows.load(bench, log, what).row()


def _clean(bench: Bed) -> dict[str, Any]:
    """Run `airflow db clean` for all that is there, and look what is left."""
    before = bench.table_sizes()
    seconds = bench.clean((dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat())
    after = bench.table_sizes()
    place: dict[str, Any] = dict(bench.stack.state.database)
    with contextlib.closing(psycopg2.connect(**place)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    vacuumed = bench.table_sizes()
    changed = [table for table in before if before[table][0] != after[table][0]]
    return {
        "seconds": round(seconds, 1),
        "rows": {table: [before[table][0], after[table][0]] for table in sorted(changed)},
        "bytes": [sum(sizes[table][1] for table in changed) for sizes in (before, after, vacuumed)],
    }


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """Show what is measured now; afterwards how long it took."""
    began = time.monotonic()
    with console.status(name):
        yield
    console.print(f"  {name} [dim]{time.monotonic() - began:.0f} s[/]")


def _show(table: dict[str, Any]) -> None:
    """Print what things cost."""
    constants = table["constants"]
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("", *fit.KINDS):
        out.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for part, rates in sorted(constants["idle"].items()):
        out.add_row(f"{part}, at rest, a minute", *(f"{rates[kind] * 60:.0f}" for kind in fit.KINDS))
    for part, causes in constants["costs"].items():
        for cause, cost in causes.items():
            out.add_row(f"{part}, each {cause}", *(f"{cost[kind]:.1f}" for kind in fit.KINDS))
    console.print(out)
    console.print(f"[dim]{constants['rows']}[/]")
    console.print(f"[dim]{constants['seconds']}[/]")
    console.print(f"[dim]others had {table['times']['foreign']} cores; {table['seconds']} s; build/bench/scale.json[/]")
