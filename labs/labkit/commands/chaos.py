"""`lab chaos`: lets something go wrong while messages come in, and counts what is lost, doubled, late."""

from __future__ import annotations

import json as encoder
from typing import TYPE_CHECKING

import click
from rich.table import Table

from labkit import chaos, config, session
from labkit.cli import Command
from labkit.config import in_language
from labkit.i18n import t
from labkit.ui import console, step

if TYPE_CHECKING:
    from labkit.config import Target
    from labkit.stack import Stack

PHASES = {
    "ready": "chaos.ready",
    "first": "chaos.first",
    "fault": "chaos.fault",
    "after": "chaos.after",
    "settle": "chaos.settle",
    "clear": "chaos.clear",
}
"""What the engine calls the phases, and what people read."""
COLUMNS = {
    "published": "chaos.published",
    "events": "chaos.events",
    "runs": "chaos.runs",
    "failed": "chaos.failed",
    "served": "chaos.served",
    "refused": "chaos.refused",
    "lost": "chaos.lost",
    "doubled": "chaos.doubled",
    "late": "chaos.late",
}
"""The columns that are numbers, and what people read."""


@click.command("chaos", cls=Command)
@click.argument("scheme")
@click.argument("fault", type=click.Choice([*chaos.FAULTS, "all"]), metavar="FAULT")
@click.option("--seconds", type=click.FloatRange(0, 300), default=None)
@click.option("--json", is_flag=True, default=False)
def command(scheme: str, fault: str, *, seconds: float | None, json: bool) -> None:
    """Let something go wrong."""
    lab, target = config.find_target(scheme)
    faults = [one for one in chaos.FAULTS if chaos.applies(target, one)] if fault == "all" else [fault]
    for one in faults:
        chaos.check(target, one)
    stack = session.having(lab)
    with session.interruptible():
        session.wait_for_interface(stack)
        outcomes = [_run(stack, target, one, seconds, silent=json) for one in faults]
    if json:
        click.echo(encoder.dumps([one.row for one in outcomes], indent=2))
        return
    _show(outcomes)
    console.print(f"[dim]{target.name}: {in_language(target.title)}[/]")
    console.print(f"[dim]{t('chaos.note', seconds=f'{chaos.LATE:.0f}')}[/]")


def _run(stack: Stack, target: Target, fault: str, seconds: float | None, *, silent: bool) -> chaos.Outcome:
    """Let one thing go wrong, and tell how far it is."""
    if silent:
        return chaos.run(stack, target, fault, seconds)
    names = {"scheme": target.name, "fault": fault}
    with step(t("chaos.ready", **names)) as rename:
        outcome = chaos.run(stack, target, fault, seconds, lambda phase: rename(t(PHASES[phase], **names)))
        rename(t("chaos.done", **names))
    return outcome


def _show(outcomes: list[chaos.Outcome]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(t("chaos.what"), no_wrap=True)
    for key in COLUMNS.values():
        table.add_column(t(key), justify="right", no_wrap=True)
    table.add_column(t("chaos.longest"), justify="right", no_wrap=True)
    for one in outcomes:
        longest = "" if one.longest is None else f"{one.longest:.1f} s"
        table.add_row(one.fault, *(str(getattr(one, name)) for name in COLUMNS), longest)
    console.print(table)
