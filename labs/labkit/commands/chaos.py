"""`lab chaos`: lets something go wrong while messages come in, and counts what is lost, doubled, late."""

from __future__ import annotations

import json as encoder
import time
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from labkit import cells, chaos, session
from labkit.cli import Command, Range
from labkit.config import in_language, targets
from labkit.errors import LabError, usage_error
from labkit.i18n import listed, t
from labkit.ui import console, step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labkit.cells import Cell
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


def _about(target: Target) -> str:
    """Return what a source is; a terminal shows no code."""
    return str(in_language(target.title)).replace("`", "")


class _Chaos(Command):
    """Its help tells what there is to name."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the sources and the faults."""
        super().format_options(ctx, formatter)
        with formatter.section(t("chaos.sources")):
            formatter.write_dl([(one.name, _about(one)) for _, one in targets()])
        with formatter.section(t("chaos.faults")):
            formatter.write_dl([(name, t(f"fault.{name}")) for name in chaos.FAULTS])


@click.command("chaos", cls=_Chaos)
@click.argument("scheme", required=False)
@click.argument("fault", type=click.Choice([*chaos.FAULTS, "all"]), metavar="[FAULT]", required=False)
@click.option("--all", "table", is_flag=True, default=False)
@click.option("--again", is_flag=True, default=False)
@click.option("--seconds", type=Range(0, 300), default=None)
@click.option("--json", is_flag=True, default=False)
@click.pass_context
def command(  # noqa: PLR0913  what people may say
    context: click.Context,
    scheme: str | None,
    fault: str | None,
    *,
    table: bool,
    again: bool,
    seconds: float | None,
    json: bool,
) -> None:
    """Let something go wrong."""
    for name, value in {"SCHEME": scheme, "FAULT": fault}.items():
        if value is None and not table:
            raise click.MissingParameter(ctx=context, param_hint=name)
    if again and not table:
        raise usage_error("chaos.again_without_all")
    names: list[str | None] = [None] if scheme is None else list(dict.fromkeys(scheme.split(",")))
    chosen = [cell for name in names for cell in cells.cells(name, None if fault == "all" else fault)]
    if seconds is not None:
        _check_seconds(fault, table=table)
    outcomes = _fill(chosen, again=again, silent=json) if table else _try(chosen, seconds, silent=json)
    if json:
        click.echo(encoder.dumps([one.row for one in outcomes], indent=2))
    elif not table:
        _show(outcomes)
        for target in {cell.target.name: cell.target for cell in chosen}.values():
            console.print(f"[dim]{target.name}: {_about(target)}[/]")
        console.print(f"[dim]{t('chaos.note', seconds=f'{chaos.LATE:.0f}')}[/]")


def _check_seconds(fault: str | None, *, table: bool) -> None:
    """Refuse a time where nothing lasts, or where all has to last as the table says."""
    if table:
        raise usage_error("chaos.seconds_of_table")
    if fault != "all" and fault not in chaos.LASTS:
        raise usage_error("chaos.does_not_last", fault=fault, known=listed(chaos.LASTS))


def _try(chosen: Sequence[Cell], seconds: float | None, *, silent: bool) -> list[chaos.Outcome]:
    """Let things go wrong, each once for all sources that were named, and tell how far it is."""
    shared = [
        [cell for cell in chosen if cell.fault == fault] for fault in dict.fromkeys(cell.fault for cell in chosen)
    ]
    for some in shared:
        chaos.check_together([cell.target for cell in some], some[0].fault)
    for lab in {cell.lab.id: cell.lab for cell in chosen}.values():
        stack = session.having(lab, silent=silent)
    outcomes = []
    with session.interruptible():
        session.wait_for_interface(stack)
        for some in shared:
            targets, fault = [cell.target for cell in some], some[0].fault
            if silent:
                outcomes += chaos.together(stack, targets, fault, seconds)
                continue
            names = {"scheme": _named(some), "fault": fault}
            with step(t("chaos.ready", **names)) as rename:
                tell = lambda phase: rename(t(PHASES[phase], **names))  # noqa: B023, E731  called at once
                outcomes += chaos.together(stack, targets, fault, seconds, tell)
                rename(t("chaos.done", **names))
    return outcomes


def _fill(chosen: Sequence[Cell], *, again: bool, silent: bool) -> list[chaos.Outcome]:
    """Count what the table lacks, keep each cell as soon as it is counted, and tell how far it is.

    Sources that can have their fault in common do. Where that fails, it may be for one of them: each is tried on its
    own when all else is done, so that one that always fails keeps none of the others from being counted.

    Raises:
        LabError: A cell could not be counted. The others were.
    """
    record = cells.Record()
    wanted = [cell for cell in chosen if again or not record.has(cell)]
    say: Callable[[str], None] = (lambda _: None) if silent else console.print
    if not wanted:
        say(t("chaos.nothing_missing", total=len(chosen), file=record.shown))
        return []
    stack = session.current()
    for lab in {cell.lab.id: cell.lab for cell in wanted}.values():
        session.having(lab, silent=silent)  # let it be found at once and not after an hour
    outcomes: list[chaos.Outcome] = []
    failed = []
    groups, number = cells.together(wanted), 0
    began = time.monotonic()
    with session.interruptible():
        session.wait_for_interface(stack)
        try:
            while number < len(groups):
                some = groups[number]
                rest = cells.left(time.monotonic() - began, number, len(groups))
                number += 1
                try:
                    counted = _count(stack, some, "" if silent else f"{number}/{len(groups)} ", rest)
                except LabError as error:
                    session.current()  # without a stack there is no use in going on
                    say(f"[red]✗[/] {_named(some)} {some[0].fault}: {escape(str(error))}")
                    if len(some) > 1:
                        groups += [[cell] for cell in some]
                        say("  " + t("chaos.one_by_one"))
                    else:
                        failed += some
                    continue
                outcomes += counted
                for one in counted:
                    record.put(one.row)
        finally:
            say(t("chaos.kept", number=len(outcomes), total=len(wanted), file=record.shown))
    if failed:
        names = listed(" ".join(cell.name) for cell in failed)
        raise LabError("chaos.some_failed", number=len(failed), cells=names)
    return outcomes


def _named(some: Sequence[Cell]) -> str:
    """Return the sources of cells that have their fault in common."""
    return listed(cell.target.name for cell in some)


def _count(stack: Stack, some: Sequence[Cell], place: str, minutes: int) -> list[chaos.Outcome]:
    """Count cells that have their fault in common; it says where they are among all, silently where it says nothing."""
    targets, fault = [cell.target for cell in some], some[0].fault
    if not place:
        return chaos.together(stack, targets, fault)
    names = {"scheme": _named(some), "fault": fault}

    def label(phase: str) -> str:
        return f"{place}{t(PHASES[phase], **names)} · {t('chaos.left', minutes=minutes)}"

    with step(label("ready")) as rename:
        outcomes = chaos.together(stack, targets, fault, tell=lambda phase: rename(label(phase)))
        rename(place + t("chaos.done", **names))
    for one in outcomes:
        counts = {"lost": one.lost, "doubled": one.doubled, "late": one.late}
        console.print("  " + t("chaos.counted", scheme=one.scheme, fault=one.fault, **counts))
    return outcomes


def _show(outcomes: list[chaos.Outcome]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(t("chaos.what"), no_wrap=True)
    for key in COLUMNS.values():
        table.add_column(t(key), justify="right", no_wrap=True)
    table.add_column(t("chaos.longest"), justify="right", no_wrap=True)
    several = len({one.scheme for one in outcomes}) > 1
    for one in outcomes:
        longest = "" if one.longest is None else t("chaos.seconds", seconds=f"{one.longest:.1f}")
        what = f"{one.scheme} {one.fault}" if several else one.fault
        table.add_row(what, *(str(getattr(one, name)) for name in COLUMNS), longest)
    console.print(table)
