"""What a run of the bench leaves: one JSON file, from which pages and charts are made.

- `provisional`: it comes from a quick run, or from a machine that had other work
- `command`, `date`, `machine`, `versions`, `seconds`: how, when, where and with what it was measured, and for how long
- `rule`: what "sustained" means, in numbers
- `contenders`, a row each:
  - `name`, `scheme`, `pattern`: as in `contenders.Contender`
  - `arrivals`: of the search, `jittered`, or `even` where the source keeps nothing
  - `capacity`: events a second at which a backlog was taken out; null where there can be none, or all went at once
  - `sustained`: events a second into asset events; null where not even the lowest rate held
  - `at_least`: every rate that was tried held, so the limit is there or above
  - `in_runs`: the highest rate that held all the way into runs that succeeded, nobody stranded; null for none
  - `half`: at half the sustained rate, a Poisson stream. `rate`, `events`, `lost`, `stranded`, `doubled`, `runs`;
    for `recorded` (asset event) and `begun` (task) `p50` and `p95` in seconds and some single `delays`
  - `trials`: those of the search, with `rate`, `events`, `lost`, `stranded`, `growth`, `holds`, `holds_in_runs`
- `duel`: batch and single-shot side by side on one load of messages, see `duel.fight`
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from labkit import paths
from tests.bench.brokers.trial import GROWTH, summary

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.brokers.trial import Trial

FILE = paths.ROOT / "book" / "broker-numbers.json"
PACKAGES = (
    "apache-airflow-providers-common-messaging", "apache-airflow-providers-apache-kafka",
    "apache-airflow-providers-amazon", "apache-airflow-providers-redis", "apache-airflow-providers-standard",
    "confluent-kafka", "moto",
)  # fmt: skip
SHOWN = 60
"""How many single delays are kept for a chart."""


def rule(**numbers: float) -> dict[str, float]:
    """Return what "sustained" means."""
    return {"growth_seconds": GROWTH, **numbers}


def trial_row(trial: Trial) -> dict[str, Any]:
    """Return one trial of a search."""
    return {
        "rate": round(trial.rate or 0, 3),
        "events": len(trial.sent),
        "lost": trial.lost,
        "stranded": trial.stranded,
        "growth": round(trial.growth, 2),
        "holds": trial.holds,
        "holds_in_runs": trial.holds_in_runs,
    }


def half_row(trial: Trial) -> dict[str, Any]:
    """Return the trial at half the load, delays included."""
    recorded, begun = trial.delays(trial.recorded), trial.delays(trial.begun)
    return {
        "rate": round(trial.rate or 0, 3),
        "events": len(trial.sent),
        "lost": trial.lost,
        "stranded": trial.stranded,
        "doubled": trial.doubled,
        "runs": trial.runs,
        "recorded": {**summary(recorded), "delays": thinned(recorded)},
        "begun": {**summary(begun), "delays": thinned(begun)},
    }


def thinned(values: list[float]) -> list[float]:
    """Return at most `SHOWN` of the values, evenly taken from them in ascending order, so that their spread stays."""
    ordered = sorted(values)
    if len(ordered) > SHOWN:
        ordered = [ordered[round(place * (len(ordered) - 1) / (SHOWN - 1))] for place in range(SHOWN)]
    return [round(value, 2) for value in ordered]


def write(table: dict[str, Any], file: Path) -> None:
    """Write a record."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path = FILE) -> dict[str, Any]:
    """Return a record."""
    table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return table
