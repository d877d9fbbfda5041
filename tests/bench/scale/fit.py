"""Finds what an event, a run and a task cost, from windows in which their numbers differ.

In each window a part sent `round · rounds + event · events + run · runs + task · tasks` statements. What a round of its
loop asks is known from windows in which nothing came, and the rounds are counted, for a busy machine makes fewer. The
rest is a system of linear equations with more equations than unknowns, solved by least squares. What cannot touch a
part is left out of its equations: a triggerer knows no tasks. The rounds that a task makes a scheduler go at once, and
not sleep, are found in the same way, and so are seconds of CPU; rows without anything for time.
"""

from __future__ import annotations

import copy
import math
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit import plan
from tests.bench.scale.windows import FAILING, IDLE, SPEAKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CAUSES: dict[str, tuple[str, ...]] = {
    "triggerer": ("events", "turns"),
    "runner": ("events", "turns"),
    "scheduler": ("runs", "tasks"),
    "tasks": ("tasks",),
    "api": ("tasks",),
    "postgres": ("events", "runs", "tasks"),
}
"""Part → what makes it work. The dag-processor and the broker are as busy as before, as far as these events go."""
ONE = {"events": "event", "links": "link", "runs": "run", "tasks": "task", "turns": "turn"}
APIS = ("execution-api", "api-server", "api-async")
KINDS = ("statements", "writes", "transactions")
ROUNDS = 3
"""Where in a window's counts the rounds are."""
PARSER = "dag-processor"
HURRIED = {"scheduler": ("tasks",), "triggerer": ("events", "turns")}
"""Whose loops do not wait when there is something to do, and for what. In a burst, one round does it for many."""


def solve(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Return the costs that explain some values best; a cost is never below zero."""
    matrix, wanted = np.array(rows, dtype=float), np.array(values, dtype=float)
    kept = [number for number in range(matrix.shape[1]) if matrix[:, number].any()]
    found = np.zeros(matrix.shape[1])
    while kept:
        part, *_ = np.linalg.lstsq(matrix[:, kept], wanted, rcond=None)
        if (part >= 0).all():
            found[kept] = part
            break
        kept = [number for number, cost in zip(kept, part, strict=True) if cost >= 0]
    return [float(cost) for cost in found]


def by_part(row: dict[str, Any], kind: int) -> dict[str, float]:
    """Return a window's statements, writes or transactions, those of all API servers together."""
    told: dict[str, float] = {}
    for name, counts in row["statements"].items():
        part = "api" if name in APIS else name
        told[part] = told.get(part, 0) + counts[kind]
    return told


def plain(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the windows at rest in which no trigger failed, none spoke at each poll, and no more Dags were there."""
    return [row for row in rows if not row["dags"] and row["family"] not in {FAILING, SPEAKING}]


def per_round(rows: Sequence[dict[str, Any]], part: str, kind: int) -> float:
    """Return what a round of a part's loop asks of the database at rest; 0 where its rounds are not known."""
    values = [
        by_part(row, kind).get(part, 0) / rounds for row in plain(rows) if (rounds := by_part(row, ROUNDS).get(part, 0))
    ]
    return statistics.median(values) if values else 0.0


def idle_rates(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return what each part asks of the database a second when nothing comes, and nothing is watched.

    For the Dag processor it is where the line over the number of watchers begins. The others ask the same with any
    number of them: for those it is the median of all windows.
    """
    usual_rows = plain(rows)
    rates: dict[str, dict[str, float]] = {}
    for number, kind in enumerate(KINDS):
        for part in {part for row in usual_rows for part in by_part(row, number)}:
            values = [by_part(row, number).get(part, 0) / row["seconds"] for row in usual_rows]
            usual = parsing(usual_rows, number)[0] if part == PARSER else statistics.median(values)
            rates.setdefault(part, {})[kind] = round(usual, 3)
    return rates


def parsing(rows: Sequence[dict[str, Any]], kind: int) -> tuple[float, float]:
    """Return what the Dag processor asks a second with nothing watched, and what each watched asset adds."""
    values = [by_part(row, kind).get(PARSER, 0) / row["seconds"] for row in rows]
    first, more = solve([[1, row["watchers"]] for row in rows], values)
    return first, more


def per_asset(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return what each watched asset adds a second: it is written anew whenever its file is parsed."""
    return {kind: round(parsing(plain(rows), number)[1], 4) for number, kind in enumerate(KINDS)}


def per_dag(rows: Sequence[dict[str, Any]], idle: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return what each further Dag adds a second, just by being parsed."""
    found = dict.fromkeys(KINDS, 0.0)
    for row in (row for row in rows if row["dags"]):
        for number, kind in enumerate(KINDS):
            asked = by_part(row, number).get(PARSER, 0) / row["seconds"]
            found[kind] = max(0.0, round((asked - idle[PARSER][kind]) / row["dags"], 4))
    return found


def costs(loads: dict[str, dict[str, Any]], at_rest: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return statements, writes and transactions by part and cause; and what of it are rounds that did not wait."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    hurry: dict[str, dict[str, dict[str, float]]] = {}
    rows = list(loads.values())
    more = {part: hurried(loads, at_rest, part, causes) for part, causes in HURRIED.items()}
    for number, kind in enumerate(KINDS):
        for part in ("triggerer", "scheduler", "api"):
            causes = CAUSES[part]
            one = per_round(at_rest, part, number)
            values = [by_part(row, number).get(part, 0) - one * by_part(row, ROUNDS).get(part, 0) for row in rows]
            told = solve([[row.get(cause, 0) for cause in causes] for row in rows], values)
            for cause, cost in zip(causes, told, strict=True):
                quick = one * more.get(part, {}).get(cause, 0.0)
                found.setdefault(part, {}).setdefault(ONE[cause], {})[kind] = round(cost + quick, 2)
                hurry.setdefault(part, {}).setdefault(ONE[cause], {})[kind] = round(quick, 2)
    return found, hurry


def at_speed(table: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return constants as they are on a machine that had no room: for a window, in which rounds were counted.

    A scheduler that goes round every three seconds asks for less and makes fewer runs. How fast the machine is, is not
    what the calculator is tested for. Where rounds were as frequent as at rest, nothing changes.
    """
    slowed = copy.deepcopy(table)
    for part, rate in table["rounds"].items():
        counted = by_part(row, ROUNDS)[part] / row["seconds"]
        if counted >= rate:
            continue
        for kind in KINDS:
            slowed["idle"][part][kind] *= counted / rate
            for cause, quick in table["hurry"][part].items():
                slowed["costs"][part][cause][kind] -= quick[kind]
        if part == "scheduler":
            slowed["seconds"]["pass"] = max(table["seconds"]["pass"], 1 / counted)
    return slowed


def rounds_at_rest(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return how often a second the loops go round at rest."""
    return {
        part: round(statistics.median(by_part(row, ROUNDS)[part] / row["seconds"] for row in plain(rows)), 3)
        for part in HURRIED
    }


def hurried(
    loads: dict[str, dict[str, Any]], at_rest: Sequence[dict[str, Any]], part: str, causes: Sequence[str]
) -> dict[str, float]:
    """Return how many rounds each cause makes a part go at once, and not wait for the next second."""
    rate = statistics.median(by_part(row, ROUNDS)[part] / row["seconds"] for row in plain(at_rest))
    rows = [row for name, row in loads.items() if name != "burst"]
    told = solve(
        [[row.get(cause, 0) for cause in causes] for row in rows],
        [by_part(row, ROUNDS)[part] - rate * row["seconds"] for row in rows],
    )
    return dict(zip(causes, told, strict=True))


def rows_left(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the rows that an event, its place in a run, a run and a task leave, by table."""
    causes = ("events", "links", "runs", "tasks")
    found: dict[str, dict[str, float]] = {ONE[cause]: {} for cause in causes}
    for table in sorted({name for row in rows for name in row["rows"]}):
        told = solve(
            [[row.get(cause, 0) for cause in causes] for row in rows], [row["rows"].get(table, 0) for row in rows]
        )
        for cause, cost in zip(causes, told, strict=True):
            if cost >= 0.1:
                found[ONE[cause]][table] = round(cost, 2)
    return found


def cpu_costs(idle_rows: Sequence[dict[str, Any]], loads: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return cores taken when nothing comes, and seconds of CPU by part and cause."""
    nothing = next(row for row in idle_rows if not row["watchers"] and not row["dags"])
    rest = {part: value / nothing["seconds"] for part, value in nothing["cpu"].items()}
    found: dict[str, Any] = {"idle": {part: round(value, 4) for part, value in rest.items()}, "costs": {}}
    for part, causes in CAUSES.items():
        values = [row["cpu"].get(part, 0) - rest.get(part, 0) * row["seconds"] for row in loads]
        told = solve([[row.get(cause, 0) for cause in causes] for row in loads], values)
        found["costs"][part] = {ONE[cause]: round(cost, 4) for cause, cost in zip(causes, told, strict=True)}
    found["poll"] = {}
    polls = {(one.family, one.watchers, one.interval): one.polls for one in IDLE}
    for family in sorted({row["family"] for row in idle_rows}):
        mine = [row for row in idle_rows if row["family"] == family and row["watchers"]]
        points = [
            (polls.get((row["family"], row["watchers"], row["interval"]), 0.0),
             row["cpu"].get("runner", 0) / row["seconds"] - rest.get("runner", 0))
            for row in mine
        ]  # fmt: skip
        known = [(rate, cores) for rate, cores in points if rate]
        if known:
            slope = solve([[rate] for rate, _ in known], [cores for _, cores in known])[0]
            found["poll"][family] = round(slope, 5)
    return found


def a_pass(rate: float, runs: float) -> float:
    """Return the seconds between two of the scheduler's passes, from events and runs a second.

    A pass makes a run if an event has come since the one before: with random arrivals, `(1 - e^(-rate · pass)) / pass`
    runs a second.
    """
    low, high = 0.01, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if (1 - math.exp(-rate * middle)) / middle > runs:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def constants(counts: dict[str, Any], times: dict[str, Any]) -> dict[str, Any]:
    """Return what the calculator is made of, from a record's counts and times."""
    idle = idle_rates(counts["idle"])
    by_name = times["loads"]
    cpu = cpu_costs(times["idle"], list(by_name.values()))
    found, hurry = costs(counts["loads"], counts["idle"])
    one, more, stream = by_name["one"], by_name["tasks"], by_name["stream"]
    sent = stream["events"] / stream["sending"]
    task = (more["run_life"] - one["run_life"]) / 3  # four tasks, one after the other, and one
    return {
        "idle": idle,
        "asset": per_asset(counts["idle"]),
        "dag": per_dag(counts["idle"], idle),
        "costs": found,
        "hurry": hurry,
        "rounds": rounds_at_rest(counts["idle"]),
        "rows": rows_left(list(counts["loads"].values())),
        "bytes": counts["bytes"],
        "cpu": cpu,
        "seconds": {
            "turn": by_name["turns"]["storing"],
            "event": by_name["burst"]["storing"],
            "pass": round(a_pass(sent, stream["runs"] / stream["sending"]), 2),
            "to_event": one["to_event"],
            "to_run": round(one["to_run"] - one["to_event"], 2),
            "to_task": round(one["to_task"] - one["to_run"], 2),
            "task": round(max(0.1, task), 2),
            "run": round(max(0.1, one["run_life"] - task), 2),
        },
    }


def compared(table: dict[str, Any], name: str, row: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Return statements, writes, rows and runs a second, as foreseen and as counted."""
    seconds = row["seconds"]
    constants = plan.Constants(at_speed(table["constants"], row))
    asked = plan.Asked(rate=row["messages"] / seconds, **table["inputs"][name])
    told = plan.foresee(asked, constants)
    counted = {
        "statements": sum(counts[0] for counts in row["statements"].values()) / seconds,
        "writes": sum(counts[1] for counts in row["statements"].values()) / seconds,
        "rows": sum(row["rows"].values()) / seconds,
        "runs": row["runs"] / seconds,
    }
    return {name: getattr(told, name) for name in counted}, counted
