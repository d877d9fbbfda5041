"""`lab events`: the newest asset events and what became of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from labkit import session
from labkit.cli import Command
from labkit.i18n import t
from labkit.ui import console

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from labkit.airflow.metadata import EventRow

_ROOM = 16
"""Columns that a payload has at least in the table; with less the events are told below each other."""


@click.command("events", cls=Command)
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=10)
def command(limit: int) -> None:
    """Show events."""
    with session.current().metadata() as metadata:
        rows = metadata.events(limit)
    if not rows:
        console.print(t("events.none"))
        return
    table = _table(rows)
    natural = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    # Only a table that is stretched to the terminal's width gives its columns their shares.
    table.expand = natural > console.width
    longest = max(cell_len(_content(row)) for row in rows)
    fits = natural - max(0, longest - _ROOM) <= console.width
    console.print(table if fits else _list(rows))


def _table(rows: Iterable[EventRow]) -> Table:
    """Return the events one a line; on a narrow terminal the payloads give way."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in ("events.event", "events.time", "events.asset", "events.payload", "events.dag", "events.state"):
        payload = key == "events.payload"
        table.add_column(t(key), overflow="ellipsis", no_wrap=True, ratio=1 if payload else None)
    table.add_column(t("events.until_run"), justify="right", no_wrap=True)
    table.add_column(t("events.until_end"), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.event),
            _time(row),
            escape(row.asset),
            escape(_content(row)),
            _dag(row),
            _state(row),
            _after(row, row.run_created),
            _after(row, row.run_ended),
        )
    return table


def _list(rows: Iterable[EventRow]) -> Table:
    """Return the events below each other, for terminals too narrow for a table with all their names."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        times = {"events.until_run": row.run_created, "events.until_end": row.run_ended}
        became = [_state(row), *(f"{t(key)} {_after(row, when)}" for key, when in times.items() if when)]
        for number, line in enumerate((escape(row.asset), escape(_content(row)), f"→ {_dag(row)}", " · ".join(became))):
            first = (str(row.event), _time(row)) if number == 0 else ("", "")
            if line:
                table.add_row(*first, line)
    return table


def _time(row: EventRow) -> str:
    return row.at.astimezone().strftime("%H:%M:%S")


def _dag(row: EventRow) -> str:
    return row.dag or f"[dim]{t('events.no_run')}[/]"


def _state(row: EventRow) -> str:
    if not row.run_state:
        return ""
    colour = {"success": "green", "failed": "red"}.get(row.run_state, "yellow")
    return f"[{colour}]{t(f'events.{row.run_state}')}[/]"


def _after(row: EventRow, when: dt.datetime | None) -> str:
    """Return how long after the event something came, empty where it has not."""
    return f"{(when - row.at).total_seconds() * 1000:,.0f} ms" if when else ""


def _content(row: EventRow) -> str:
    """Return the beginning of what an event says: its payload, or what the sender of a pushed one put into `extra`."""
    extra = row.extra or {}
    says = row.payload if "payload" in extra or not extra else extra
    if says is None or isinstance(says, str):
        return (says or "")[:200]
    return json.dumps(says, ensure_ascii=False)[:200]
