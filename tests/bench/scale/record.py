"""What a run of the bench leaves: one JSON file, from which the calculator, its page and its pictures are made.

- `counts` and `times`: the same windows twice. `counts` has what is exact however busy the machine is: events, runs,
  tasks, statements (`[statements, writes, transactions, rounds]` by part) and rows; `times` has what is not: seconds of
  CPU, delays, and how many cores others had (`foreign`). A quiet machine's times are replaced only by another's.
  - `date`, `machine`, `versions`: when, where, with what
  - `idle`: a row for each set of watchers, see `windows.Idle`
  - `loads`: by name, see `windows.Load`
  - `points`: by name, see `windows.POINTS`
  - of `counts`, `bytes`: of a row, by table, indexes included; `clean`: `airflow db clean`, measured
  - of `times`, `quiet`: whether others had next to nothing of the machine; `takeover`: seconds, see `takeover`
- `inputs`: of each point, what the calculator is told, besides the rate
- `compared`: of each point, what the calculator foresaw and what was counted, a second
- `constants`: what `fit` made of it, and all that the calculator reads
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from labkit import paths
from tests.bench.scale import fit
from tests.bench.scale.windows import POINTS, QUIET

if TYPE_CHECKING:
    from pathlib import Path


FILE = paths.BOOK / "scale-numbers.json"
COUNTED = (
    "seconds", "events", "links", "runs", "tasks", "turns", "statements", "rows", "sending", "messages",
)  # fmt: skip
"""Of a window, what is counted."""
TIMED = (
    "seconds", "events", "links", "runs", "tasks", "turns", "sending", "cpu", "foreign", "to_event", "to_run",
    "to_task", "storing", "run_gap", "run_life",
)  # fmt: skip
"""Of a window, what is timed, and by what it has to be divided."""
NAMED = ("family", "watchers", "interval", "dags")


def _part(measured: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    def pick(row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in (*NAMED, *names) if name in row}

    return {
        **measured["circumstances"],
        "idle": [pick(row) for row in measured["idle"]],
        "loads": {name: pick(row) for name, row in measured["loads"].items()},
        "points": {name: pick(row) for name, row in measured["points"].items()},
    }


def mean_foreign(measured: dict[str, Any]) -> float:
    """Return how many cores others had, on average over all windows."""
    rows = [*measured["idle"], *measured["loads"].values(), *measured["points"].values()]
    return float(sum(row["foreign"] * row["seconds"] for row in rows) / sum(row["seconds"] for row in rows))


def made_of(measured: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Return the record of a measurement, with the times of the one before where those were taken on a quieter machine.

    Args:
        measured: `circumstances`, `idle`, `loads`, `points`, `bytes`, `clean`, `takeover`.
        before: The record that it replaces, None where there is none.
    """
    foreign = mean_foreign(measured)
    times = {
        "quiet": foreign <= QUIET,
        "foreign": round(foreign, 2),
        **_part(measured, TIMED),
        "takeover": measured["takeover"],
    }
    if before and before["times"]["quiet"] and not times["quiet"]:
        times = before["times"]
    counts = {**_part(measured, COUNTED), "bytes": measured["bytes"], "clean": measured["clean"]}
    table: dict[str, Any] = {
        "command": "./lab bench scale",
        "seconds": measured["seconds"],
        "constants": fit.constants(counts, times),
        "inputs": {name: inputs for name, (_, inputs) in POINTS.items()},
        "counts": counts,
        "times": times,
    }
    for name, row in counts["points"].items():
        both = zip(("foreseen", "counted"), fit.compared(table, name, row), strict=True)
        table.setdefault("compared", {})[name] = {
            side: {what: round(value, 2) for what, value in told.items()} for side, told in both
        }
    return table


def write(table: dict[str, Any], file: Path) -> None:
    """Write a record, a window a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path = FILE) -> dict[str, Any] | None:
    """Return a record, None where there is none."""
    if not file.exists():
        return None
    table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return table
