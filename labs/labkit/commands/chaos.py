"""`lab chaos`: does harm to the stack while messages are on their way, and shows what was lost, doubled or late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from labkit import chaos, config, paths, session
from labkit.cli import Command
from labkit.config import in_language
from labkit.errors import usage_error
from labkit.i18n import listed, t
from labkit.ui import console, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.chaos import Cell
    from labkit.config import Scheme

EVERY = "all"
"""In place of a scheme's name."""
COUNTS = (
    "chaos.published",
    "chaos.events",
    "chaos.runs",
    "chaos.processed",
    "chaos.lost",
    "chaos.doubled",
    "chaos.late",
)
"""The columns of numbers."""
WORDS = {
    "ok": "chaos.ok",
    "lost": "chaos.some_lost",
    "doubled": "chaos.some_doubled",
    "dead letter": "chaos.dead_letter",
    "failed run": "chaos.failed_run",
    "loops": "chaos.loops",
    "vanished": "chaos.vanished",
}
"""What the engine calls what became of messages, and what people read."""


@click.command("chaos", cls=Command)
@click.argument("scheme", required=False)
@click.argument("fault", required=False)
@click.option("--all", "everything", is_flag=True)
@click.option("--again", is_flag=True)
def command(scheme: str | None, fault: str | None, *, everything: bool, again: bool) -> None:
    """Turn the dial."""
    lab = config.find_chaos()
    if not everything and (scheme is None or fault is None):
        raise usage_error("chaos.what", schemes=_names(lab.chaos), faults=listed(chaos.FAULTS))
    schemes = _schemes(lab.chaos, scheme or EVERY)
    if fault is not None and fault not in chaos.FAULTS:
        raise usage_error("chaos.unknown_fault", fault=fault, known=listed(chaos.FAULTS))
    faults = [fault] if fault else list(chaos.FAULTS)
    if fault and not any(chaos.applies(one, fault) for one in schemes):
        raise usage_error("chaos.meaningless", scheme=scheme, fault=fault)
    stack = session.having(lab)
    folder = paths.BUILD / "chaos"
    grid: list[Cell] = []
    with session.interruptible():
        for place, one in enumerate(faults, start=1):
            file = folder / f"{scheme or EVERY}-{one}.json"
            if everything and not again and (cells := chaos.load(file)):
                console.print(t("chaos.kept", fault=one, place=place, count=len(faults)))
            else:
                with step(t("chaos.turn", fault=one, place=place, count=len(faults))):
                    cells = chaos.run(stack, lab, schemes, one)
                chaos.save(file, cells)
            _show(cells)
            grid += cells
    if everything:
        _show_grid(grid, faults)
    console.print(t("chaos.saved", folder=folder.relative_to(paths.ROOT)))


def _names(schemes: Sequence[Scheme]) -> str:
    return listed([EVERY, *(one.name for one in schemes)])


def _schemes(known: Sequence[Scheme], name: str) -> list[Scheme]:
    if name == EVERY:
        return list(known)
    found = [one for one in known if one.name == name]
    if not found:
        raise usage_error("chaos.unknown_scheme", scheme=name, known=_names(known))
    return found


def _show(cells: Sequence[Cell]) -> None:
    """Print what became of the messages."""
    titles = {one.name: in_language(one.title) for one in config.find_chaos().chaos}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(t("chaos.scheme"), no_wrap=True)
    for key in COUNTS:
        table.add_column(t(key), justify="right")
    table.add_column("")
    for cell in cells:
        late = "" if cell.late is None else f"{cell.late:.0f} s"
        counts = (cell.published, cell.events, cell.runs, cell.processed, cell.lost, cell.doubled)
        table.add_row(cell.scheme, *map(str, counts), late, f"[dim]{titles[cell.scheme]}[/]")
    console.print(table)
    for cell in cells:
        for reason in cell.dead:
            console.print(f"{cell.scheme}: {t('chaos.dead', reason=reason)}")


def _show_grid(cells: Sequence[Cell], faults: Sequence[str]) -> None:
    """Print one row a scheme, one column a fault, and a word in each cell."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(t("chaos.scheme"), no_wrap=True)
    for fault in faults:
        table.add_column(fault)
    for name in dict.fromkeys(one.scheme for one in cells):
        mine = {one.fault: one for one in cells if one.scheme == name}
        table.add_row(name, *(_word(mine[fault]) if fault in mine else "" for fault in faults))
    console.print(table)


def _word(cell: Cell) -> str:
    """Return what a cell comes to, in the user's language."""
    return ", ".join(t(WORDS[word], count=count) for word, count in cell.words)
