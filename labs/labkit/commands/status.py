"""`lab status`: what runs, whether it works, what it takes, and what is wrong with the Dags."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from labkit import config, session
from labkit.airflow import complaints
from labkit.cli import Command
from labkit.i18n import listed, t
from labkit.ui import console, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.airflow.metadata import Waiting


PATIENCE = dt.timedelta(seconds=5)
"""How long a trigger may wait for a triggerer before it is told of."""


@click.command("status", cls=Command)
def command() -> None:
    """Show the stack."""
    stack = session.current()
    state = stack.state
    versions = listed(f"{name} {version}" for name, version in state.versions.items())
    started = dt.datetime.fromisoformat(state.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    console.print(t("status.head", lane=state.lane, labs=listed(state.labs), started=started))
    console.print(f"[dim]{versions}[/]")
    if not state.ready:
        console.print(f"[yellow]![/] {t('status.not_ready')}")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in ("status.part", "status.state", "status.pid", "status.port", "status.memory", "status.restarts"):
        right = key not in {"status.part", "status.state"}
        table.add_column(t(key), justify="right" if right else "left", no_wrap=True)
    table.add_column("")
    parts = stack.parts()
    for part in parts:
        colour = "green" if part.healthy else ("yellow" if part.state in {"starting", "running"} else "red")
        # supervisord calls a process starting for its first second, even if it answers already.
        if part.healthy:
            word = t("status.running")
        else:
            word = t("status.unhealthy") if part.state == "running" else t(f"status.{part.state}")
        table.add_row(
            part.name,
            f"[{colour}]●[/] {word}",
            str(part.pid or ""),
            str(part.port or ""),
            size(part.memory) if part.memory else "",
            str(part.restarts or ""),
            f"[dim]{part.note}[/]",
        )
    total = sum(part.memory for part in parts)
    table.add_row(t("status.total"), "", "", "", size(total), "", "")
    console.print(table)
    with stack.metadata() as metadata:
        failures = metadata.import_failures()
        on_demand = {dag for one in config.labs() for dag in one.on_demand}
        paused = [dag for dag, row in metadata.dags().items() if row["is_paused"] and dag not in on_demand]
        waiting = metadata.waiting()
        failing = complaints.recent(stack.trigger_log(), metadata.watchers())
    for failure in failures:
        place = f"{failure.file}:{failure.line}" if failure.line else failure.file
        console.print(f"[red]✗[/] {t('status.import_error', file=escape(place))}", soft_wrap=True)
        console.print(f"  {failure.reason}", markup=False, soft_wrap=True)
        _mend(failure.reason)
    for one in failing:
        console.print(f"[red]✗[/] {escape(one.told())}", soft_wrap=True)
        console.print(f"  {one.error}", markup=False, soft_wrap=True)
        _mend(one.error)
    for address in complaints.unheard(stack.trigger_log()):
        console.print(f"[yellow]![/] {t('complaint.unheard', address=address)}", soft_wrap=True)
        console.print(f"  → {t('complaint.unreachable', address=address)}", markup=False, soft_wrap=True)
    _triggers(state.capacity, waiting)
    if paused:
        console.print(f"[yellow]![/] {t('status.paused', dags=listed(paused))}")
    if failures or failing or not all(part.healthy for part in parts):
        sys.exit(1)


def _triggers(capacity: int, waiting: Sequence[Waiting]) -> None:
    """Say how much a triggerer may run, where that is not the default, and what none runs."""
    if capacity:
        console.print(f"[yellow]![/] {t('status.capacity', most=capacity)}")
    # Rows of the last moments wait for the triggerer's next round, and that is well.
    late = dict.fromkeys(name for one in waiting if one.age > PATIENCE for name in one.names)
    if late:
        console.print(f"[yellow]![/] {t('status.waiting', names=listed(late))}", soft_wrap=True)


def _mend(error: str) -> None:
    """Say what to do about an error, where it is known."""
    advice = complaints.mend(error)
    if advice:
        console.print(f"  → {advice}", markup=False, soft_wrap=True)
