"""The table of `chaos`: which cells it has, and the file that keeps what was counted in each.

A cell is a source of events and a fault. The file is `chaos.json` in the folder of the lab that has it; the page shows
it, and `./lab test` compares with it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit import chaos, config, paths
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from labkit.config import Lab, Target

FILE = "chaos.json"
USUAL = 45.0
"""Seconds that a fault takes, for as long as none has been measured."""
AT_ONCE = 3
"""How many sources share a fault at most: with more, their runs would keep each other waiting on two cores."""


@dataclass(frozen=True)
class Cell:
    """A source of events, the lab that has it, and what goes wrong."""

    lab: Lab
    target: Target
    fault: str

    @property
    def name(self) -> tuple[str, str]:
        """What it is called in the file."""
        return self.target.name, self.fault


def cells(scheme: str | None = None, fault: str | None = None) -> list[Cell]:
    """Return the cells of the table, without those that make no sense.

    Args:
        scheme: Only this source's.
        fault: Only this fault's.

    Raises:
        LabError: There is no such source, or the fault is not for it.
    """
    chosen = config.targets() if scheme is None else [config.find_target(scheme)]
    faults = chaos.FAULTS if fault is None else (fault,)
    if scheme is not None and fault is not None:
        chaos.check(chosen[0][1], fault)
    return [Cell(lab, target, one) for lab, target in chosen for one in faults if chaos.applies(target, one)]


def together(some: Sequence[Cell]) -> list[list[Cell]]:
    """Put cells together whose sources can have their fault in common, in the order of the faults.

    Each cell is in one group. What goes first at the gate is spread over the groups, for only one of them can.
    """
    groups = []
    for fault in chaos.FAULTS:
        ours = [cell for cell in some if cell.fault == fault]
        if fault not in chaos.AT_THE_GATE:
            groups += [ours[place : place + AT_ONCE] for place in range(0, len(ours), AT_ONCE)]
            continue
        alone = [[cell] for cell in ours if cell.target.by_the_clock]
        begun = [[cell] for cell in ours if not cell.target.behind and not cell.target.by_the_clock]
        for cell in (cell for cell in ours if cell.target.behind):
            smallest = min(begun, key=len, default=None)
            if smallest is None or len(smallest) >= AT_ONCE:
                begun.append([cell])
            else:
                smallest.append(cell)
        groups += begun + alone
    return groups


def left(seconds: float, done: int, total: int) -> int:
    """Return about how many minutes the rest takes, one at least.

    Args:
        seconds: What those that are done took.
        done: How many faults are done.
        total: How many there are to do.
    """
    each = seconds / done if done else USUAL
    return max(1, round(each * (total - done) / 60))


class Record:
    """The file with what was counted: read at once, written whole after each cell.

    Args:
        file: Where it is; that of the project by default.

    Raises:
        LabError: It is no list of cells.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or next(one.folder / FILE for one in config.labs() if (one.folder / FILE).exists())
        try:
            self._rows: list[dict[str, Any]] = json.loads(self.file.read_text(encoding="utf-8"))
            self._names = [(str(row["scheme"]), str(row["fault"])) for row in self._rows]
        except (ValueError, TypeError, KeyError) as error:
            raise LabError("chaos.broken_record", file=self.shown, reason=error) from error

    @property
    def shown(self) -> Path:
        """The file as people see it."""
        return self.file.relative_to(paths.ROOT) if self.file.is_relative_to(paths.ROOT) else self.file

    def has(self, cell: Cell) -> bool:
        """Tell whether a cell was counted."""
        return cell.name in self._names

    def put(self, row: Mapping[str, Any]) -> None:
        """Keep what was counted in a cell, in its own place or behind the last one of its source.

        A line for each cell; what reads the file meanwhile finds the old or the new, and never half of it.
        """
        name = (str(row["scheme"]), str(row["fault"]))
        if name in self._names:
            self._rows[self._names.index(name)] = dict(row)
        else:
            place = max((at for at, (one, _) in enumerate(self._names, 1) if one == name[0]), default=len(self._names))
            self._rows.insert(place, dict(row))
            self._names.insert(place, name)
        lines = ",\n".join(f"  {json.dumps(one)}" for one in self._rows)
        draft = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        try:
            draft.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
            draft.replace(self.file)
        finally:
            draft.unlink(missing_ok=True)
