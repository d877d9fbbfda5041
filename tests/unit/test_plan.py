"""The calculator: its formulas, its command, and how close it comes to what was measured. No stack runs."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from tests.bench.scale import fit, record, windows
from tests.bench.scale.bed import IDLE, LAB
from tests.bench.scale.bench import figures

from labkit import paths, plan
from labkit.errors import FAILED, USAGE
from labkit.plan import Asked, foresee

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Outcome

RECORD = plan.read()


def test_the_calculator_is_within_a_quarter_of_what_was_counted_at_three_points() -> None:
    found = list(figures(RECORD))
    assert len(found) == 4 * len(windows.POINTS)
    assert [one for one in found if not one.kept] == []


def test_no_point_is_one_of_the_loads_that_the_constants_come_from() -> None:
    assert {one.asset for one, _ in windows.POINTS.values()}.isdisjoint({one.asset for one in windows.LOADS})


def test_the_constants_are_those_of_the_record() -> None:
    assert fit.constants(RECORD["counts"], RECORD["times"]) == RECORD["constants"]


def test_neither_polls_nor_watchers_matter_to_what_a_round_of_a_loop_asks() -> None:
    rows = fit.plain(RECORD["counts"]["idle"])
    assert {row["watchers"] for row in rows} >= {0, 1, 10, 50, 200}
    assert {row["interval"] for row in rows} >= {1, 60}
    for part in ("triggerer", "scheduler"):
        asked = [row["statements"][part][0] / row["statements"][part][fit.ROUNDS] for row in rows]
        assert max(asked) < 1.05 * min(asked), part


def asked_by_triggerer(family: str, watchers: int, interval: int) -> float:
    """Return the statements a second of the triggerer in a window at rest."""
    rows = {(row["family"], row["watchers"], row["interval"], row["dags"]): row for row in RECORD["counts"]["idle"]}
    row = rows[family, watchers, interval, 0]
    return float(row["statements"]["triggerer"][0]) / float(row["seconds"])


def test_triggers_that_fail_cost_the_database_more_than_those_that_poll() -> None:
    assert asked_by_triggerer(windows.FAILING, 10, 60) > 3 * asked_by_triggerer("sqs", 10, 60)


def test_a_poll_that_speaks_wakes_the_triggerer_and_a_silent_one_does_not() -> None:
    assert asked_by_triggerer("sqs", 10, 1) > 2 * asked_by_triggerer("sqs", 10, 60)
    assert asked_by_triggerer("file", 50, 1) < 1.2 * asked_by_triggerer("file", 50, 60)


def test_a_watched_asset_is_written_at_each_parse_however_seldom_it_is_polled() -> None:
    rows = {(row["watchers"], row["interval"]): row for row in RECORD["counts"]["idle"] if row["family"] == "file"}

    def parsing(watchers: int, interval: int) -> float:
        row = rows[watchers, interval]
        return float(row["statements"]["dag-processor"][0]) / float(row["seconds"])

    assert parsing(200, 60) > 1.5 * parsing(1, 60)
    assert parsing(200, 1) == pytest.approx(parsing(200, 60), rel=0.2)


def test_an_event_and_its_run_leave_the_rows_that_airflow_s_models_say() -> None:
    rows = RECORD["constants"]["rows"]
    assert rows["event"] == {"asset_event": 1}
    assert rows["link"] == {"dagrun_asset_event": 1}
    assert rows["run"]["dag_run"] == rows["task"]["task_instance"] == 1


def test_nothing_but_the_rate_doubles_events_rows_and_writes() -> None:
    one, two = foresee(Asked(rate=0.02)), foresee(Asked(rate=0.04))
    assert two.events == pytest.approx(2 * one.events)
    assert two.rows == pytest.approx(2 * one.rows, rel=0.05)
    assert two.idle_statements == one.idle_statements


def test_a_batch_carries_a_thousand_times_as_much_for_the_same_statements() -> None:
    few = foresee(Asked(rate=1, pattern="batch", batch=1000))
    many = foresee(Asked(rate=400, pattern="batch", batch=1000))
    assert many.statements < 1.5 * few.statements
    assert many.keeps_up
    assert not foresee(Asked(rate=400, pattern="stream")).keeps_up


def test_the_limit_is_met_at_the_sustained_rate() -> None:
    for asked in (Asked(), Asked(pattern="stream", tasks=3), Asked(pattern="batch", batch=50), Asked(latency=20)):
        told = foresee(asked)
        assert foresee(dataclasses.replace(asked, rate=told.sustained)).keeps_up
        assert not foresee(dataclasses.replace(asked, rate=1.01 * told.sustained)).keeps_up


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        (Asked(rate=1), "turn"),
        (Asked(rate=30, pattern="stream", triggerers=1, cores=1000, watchers=1, latency=20), "persist"),
        (Asked(rate=2, pattern="stream", task_seconds=600, cores=1000, slots=4), "slots"),
        (Asked(rate=2, pattern="stream", task_seconds=600, cores=1000, slots=4000), "active"),
        (Asked(rate=2, pattern="stream", tasks=20, active=1000, slots=1000, cores=1), "cpu"),
        (Asked(rate=0.001, watchers=5000), "capacity"),
    ],
)
def test_the_limit_that_is_met_first_is_named(asked: Asked, limit: str) -> None:
    assert foresee(asked).limit == limit


def test_a_poll_makes_events_wait_half_its_interval_and_costs_the_database_nothing() -> None:
    soon, late = foresee(Asked(rate=0.1)), foresee(Asked(rate=0.1, poll=60))
    assert late.to_event == pytest.approx(soon.to_event + 30)
    assert late.statements == soon.statements


def test_what_is_too_much_waits_for_ever() -> None:
    told = foresee(Asked(rate=5))
    assert not told.keeps_up
    assert math.isinf(told.to_event)


def test_a_second_triggerer_stores_twice_as_much() -> None:
    asked = Asked(rate=10, pattern="stream", watchers=4)
    assert foresee(dataclasses.replace(asked, triggerers=2)).loads["persist"] == pytest.approx(
        foresee(asked).loads["persist"] / 2
    )


# The command -------------------------------------------------------------------------------------------------------


def test_the_command_says_what_the_engine_foresees(lab: Callable[..., Outcome]) -> None:
    outcome = lab("plan", "--rate", "40", "--pattern", "batch", "--batch", "500", "--json")
    told = json.loads(outcome.out)
    expected = foresee(Asked(rate=40, pattern="batch", batch=500))
    assert told["runs"] == expected.runs
    assert told["loads"] == expected.loads


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("First limit: what a trigger takes in a turn", "longer and longer")),
        ("zh-TW", ("最先碰到的上限：觸發器", "愈來愈久")),
    ],
)
def test_the_command_speaks_both_languages(lang: str, words: tuple[str, str], lab: Callable[..., Outcome]) -> None:
    outcome = lab("--lang", lang, "plan", "--rate", "5")
    assert outcome.code == 0
    assert all(word in outcome.out for word in words)
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rate", "-1"], "--rate"),
        (["--rate", "many"], "--rate"),
        (["--tasks", "1.5"], "--tasks"),
        (["--pattern", "push"], "single, stream, batch"),
        (["--pattern", "stream", "--batch", "5"], "an event for each message"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(
    words: list[str], told: str, lab: Callable[..., Outcome]
) -> None:
    outcome = lab("plan", *words)
    assert outcome.code == USAGE
    assert told in outcome.err


def test_numbers_that_cannot_be_read_are_named(lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FILE", paths.BOOK / "not-there.json")
    outcome = lab("plan")
    assert outcome.code == FAILED
    assert "not-there.json" in outcome.err


# The bench ---------------------------------------------------------------------------------------------------------


def test_costs_are_found_again_that_were_put_in() -> None:
    rows = [[4, 4, 1], [4, 4, 16], [4, 16, 16], [100, 3, 3]]
    assert fit.solve(rows, [10 * a + 20 * b + 30 * c for a, b, c in rows]) == pytest.approx([10, 20, 30])
    assert min(fit.solve([[1, 1], [1, 2]], [5, 3])) == 0  # never below zero


def test_the_scheduler_s_pass_is_found_again() -> None:
    runs = (1 - math.exp(-3 * 0.8)) / 0.8
    assert fit.a_pass(3, runs) == pytest.approx(0.8, abs=0.01)


def test_a_quiet_machine_s_times_are_not_replaced_by_a_busy_one_s() -> None:
    measured = {
        "circumstances": {},
        "seconds": 1,
        "bytes": RECORD["counts"]["bytes"],
        "clean": RECORD["counts"]["clean"],
        "takeover": RECORD["times"]["takeover"],
        **{name: _both(name) for name in ("idle", "loads", "points")},
    }
    _set_foreign(measured, 1.5)
    busy = record.made_of(measured, None)
    assert not busy["times"]["quiet"]
    _set_foreign(measured, 0.01)
    quiet = record.made_of(measured, busy)
    assert quiet["times"]["quiet"]
    _set_foreign(measured, 1.5)
    assert record.made_of(measured, quiet)["times"] == quiet["times"]


def _both(name: str) -> Any:
    """Return the record's windows of one kind, counts and times together."""
    counts, times = RECORD["counts"][name], RECORD["times"][name]
    if isinstance(counts, list):
        return [{**one, **other} for one, other in zip(counts, times, strict=True)]
    return {key: {**counts[key], **times[key]} for key in counts}


def _set_foreign(measured: dict[str, Any], value: float) -> None:
    for row in (*measured["idle"], *measured["loads"].values(), *measured["points"].values()):
        row["foreign"] = value


def test_the_bench_s_lab_has_what_its_windows_need() -> None:
    table = tomllib.loads((LAB / "lab.toml").read_text(encoding="utf-8"))
    loads = [*windows.LOADS, *(one for one, _ in windows.POINTS.values())]
    assert {IDLE, *(dag for one in loads for dag in one.dags)} == set(table["on_demand"])
    assert sorted(table["kafka"]["topics"]) == sorted(table["kafka"]["connections"])
    assert {IDLE, *(one.asset for one in loads)} == set(table["kafka"]["topics"])
