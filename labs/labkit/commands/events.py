"""`lab events`: the newest asset events and what became of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from labkit import session
from labkit.cli import Command
from labkit.i18n import t
from labkit.ui import console

if TYPE_CHECKING:
    from labkit.airflow.metadata import EventRow


@click.command("events", cls=Command)
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=10)
def command(limit: int) -> None:
    """Show events."""
    with session.current().metadata() as metadata:
        rows = metadata.events(limit)
    if not rows:
        console.print(t("events.none"))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in ("events.event", "events.time", "events.asset", "events.payload", "events.dag", "events.state"):
        payload = key == "events.payload"  # on a narrow terminal it gives way, and stays one line
        table.add_column(t(key), overflow="ellipsis", no_wrap=True, ratio=1 if payload else None)
    table.add_column(t("events.until_run"), justify="right", no_wrap=True)
    table.add_column(t("events.until_end"), justify="right", no_wrap=True)
    for row in rows:
        colour = {"success": "green", "failed": "red"}.get(row.run_state or "", "yellow")
        table.add_row(
            str(row.event),
            row.at.astimezone().strftime("%H:%M:%S"),
            row.asset,
            escape(_content(row)[:200]),
            row.dag or f"[dim]{t('events.no_run')}[/]",
            f"[{colour}]{t(f'events.{row.run_state}')}[/]" if row.run_state else "",
            f"{(row.run_created - row.at).total_seconds() * 1000:,.0f} ms" if row.run_created else "",
            f"{(row.run_ended - row.at).total_seconds() * 1000:,.0f} ms" if row.run_ended else "",
        )
    # Only a table that is stretched to the terminal's width gives its columns their shares.
    table.expand = Measurement.get(console, console.options.update(max_width=1000), table).maximum > console.width
    console.print(table)


def _content(row: EventRow) -> str:
    """Return what the event says: its payload, or what the sender of a pushed one put into `extra` instead."""
    extra = row.extra or {}
    says = row.payload if "payload" in extra or not extra else extra
    if says is None or isinstance(says, str):
        return says or ""
    return json.dumps(says, ensure_ascii=False)
