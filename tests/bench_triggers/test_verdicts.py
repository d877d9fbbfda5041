"""Triggers of Airflow's own providers: what the bench finds is what is on record, and so what the page shows."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import providers
import pytest

from labkit import bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.bench import Report

RECORD = tomllib.loads(Path(bench.__file__).with_name("verdicts.toml").read_text(encoding="utf-8"))
TRIGGERS: list[dict[str, Any]] = RECORD["trigger"]

# botocore and aiohttp, inside the providers: not ours to mend.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("record", TRIGGERS, ids=[one["name"] for one in TRIGGERS])
def test_the_verdict_on_record_is_the_benchs(
    record: dict[str, Any], world: providers.World, trigger_bench: Callable[..., Report]
) -> None:
    make, _ = providers.NEEDS[record["name"]]
    case = make(world)
    report = trigger_bench(case.make, cause=case.cause, **{"events": 2, **case.options})
    found = {
        "kind": report.kind,
        "failed": [one.check for one in report.findings if one.passed is False],
        "open": [one.check for one in report.findings if one.passed is None],
    }
    assert found == {key: record[key] for key in found}, str(report)


def test_the_record_is_of_what_is_installed() -> None:
    assert RECORD["airflow"] == version("apache-airflow")
    installed = {one["name"]: version(f"apache-airflow-providers-{one['package']}") for one in TRIGGERS}
    assert installed == {one["name"]: one["version"] for one in TRIGGERS}


def test_every_case_is_on_record() -> None:
    assert {one["name"] for one in TRIGGERS} == providers.NEEDS.keys()
    servers = {"files": "", "http": "http", "moto": "aws", "mock": "kafka"}
    assert {one["name"]: servers[one["on"]] for one in TRIGGERS} == {
        name: needs for name, (_, needs) in providers.NEEDS.items()
    }


def test_level_triggered_ones_fire_at_the_pace_of_the_triggerer(
    world: providers.World, trigger_bench: Callable[..., Report]
) -> None:
    """However long its `poll_interval`: 60 s here, and an event about every 2 s."""
    case = providers.http_event(world)
    report = trigger_bench(case.make, cause=case.cause, events=1, restarts=0)
    facts = report["unchanged-world"].facts
    assert facts["events"] == 3
    assert facts["seconds"] <= 120 + 3 * 3
