"""Lab 02 on a real stack: who is ahead of whom, what is taken for it, and the exercise. Relations, never figures."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import TYPE_CHECKING

import pytest
from driver import until

from labkit import config, race
from labkit.airflow import usage
from labkit.airflow.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driver import Checkout

    from labkit.race import Race

LAB = "02-before-aip-82"
SEED = 34


def run(checkout: Checkout, stream: race.Stream, *racers: str) -> Race:
    return race.run(checkout.stack, config.find_racers(racers), stream)


@pytest.fixture(scope="module")
def rush(checkout: Checkout) -> Race:
    """A burst, each racer alone."""
    checkout.having("02")
    names = ("old-kafka", "old-one", "old-drain", "watcher", "watcher-drain")
    return run(checkout, race.Stream("burst", 5, 5, SEED), *names)


def nothing_left(checkout: Checkout) -> bool:
    """Tell whether no racer runs, waits or is watched for any more, and the database is as it was."""
    dags = [racer.dag for racer in config.find_racers([])]
    with checkout.stack.metadata() as metadata:
        known = metadata.dags()
        publications = metadata.rows("SELECT pubname FROM pg_publication")
        slots = metadata.rows("SELECT slot_name FROM pg_replication_slots")
        return (
            all(known[dag]["is_paused"] for dag in dags)
            and not any(usage.unfinished(metadata, dag) for dag in dags)
            and not any(usage.slots(metadata, dags).values())
            and not [one for one in metadata.watchers() if one.asset.startswith("race_")]
            and not publications
            and not slots
        )


def test_all_but_those_who_can_leave_some_behind_handle_every_message(rush: Race) -> None:
    for one in rush.results:
        # Airflow 3.3 makes one run of events that come quickly, with the first of them; and it can take the report
        # that a task has deferred itself for one on its next start, and fail it. The chapter tells of both.
        least = 1 if one.racer.name in {"watcher", "old-kafka"} else rush.stream.events
        assert one.handled >= least, one.racer.name


def test_in_a_rush_those_who_take_all_there_is_beat_those_who_take_one(rush: Race) -> None:
    slowest = rush["old-one"].longest
    assert slowest is not None
    for name in ("old-drain", "watcher-drain"):
        longest = rush[name].longest
        assert longest is not None
        assert longest < slowest, name


def test_a_watcher_spends_fewer_runs_and_tasks_than_a_sensor_that_takes_one(rush: Race) -> None:
    assert rush["watcher"].runs < rush["old-one"].runs
    assert rush["watcher"].instances < rush["old-one"].instances
    assert rush["watcher-drain"].instances < rush["old-one"].instances
    assert rush["old-kafka"].instances == rush["old-kafka"].runs < rush["old-one"].runs


def test_one_task_instance_that_never_ends_writes_more_rows_than_a_run_that_takes_all(rush: Race) -> None:
    rows = {one.racer.name: sum((one.written or {}).values()) for one in rush.results}
    assert all(rows.values())
    assert rows["watcher-drain"] < rows["old-kafka"]
    assert rows["watcher-drain"] < rows["old-one"]


def test_a_race_leaves_nothing_behind(rush: Race, running: Checkout) -> None:
    until(lambda: nothing_left(running), "the racers to be gone", 30)


def test_only_a_plain_sensor_takes_a_slot_while_nothing_happens(running: Checkout) -> None:
    quiet = run(running, race.Stream("quiet", 2, 0.1, None, together=True), "old-one", "old-kafka", "watcher")

    def free_before_second(name: str) -> float:
        """Return for how long no slot was taken in the seconds before the second message."""
        pairs = [(-10.0, 0), *quiet[name].slots]
        spans = itertools.pairwise(pairs)
        return sum(max(0.0, min(after, 10) - max(since, 6)) for (since, taken), (after, _) in spans if not taken)

    assert free_before_second("old-one") < 1
    assert free_before_second("old-kafka") > 3
    assert free_before_second("watcher") > 3
    assert quiet["old-one"].slot_seconds > quiet["watcher"].slot_seconds
    assert quiet["old-one"].written is None
    until(lambda: nothing_left(running), "the racers to be gone", 30)


def test_the_command_shows_a_table_and_leaves_charts(running: Checkout) -> None:
    told = running.lab("race", "old-drain", "watcher-drain", "--events", "2", "--rate", "5", COLUMNS="140")
    for name in ("old-drain", "watcher-drain"):
        assert re.search(rf"^{name} +2/2 +[\d.]+ s", told.stdout, re.MULTILINE), told.stdout
    charts = {file.name for file in (running.root / "build" / "race").glob("*.svg")}
    assert {"race-gantt.svg", "race-delays.svg", "race-slots.svg", "race-rows.svg"} <= charts
    assert "build/race" in told.stdout


def test_sensors_that_poke_starve_a_pool_and_deferrable_ones_do_not(running: Checkout) -> None:
    opening = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    started: dict[str, dt.datetime] = {}
    with Api(running.stack.state) as api, running.stack.metadata() as metadata:
        for way in ("poke", "deferrable"):
            api.call("POST", "pools", json={"name": f"door_{way}", "slots": 2})
            conf = {"logical_date": None, "conf": {"open_at": opening.isoformat()}}
            api.call("POST", f"dags/wait_{way}/dagRuns", json=conf)

        def both() -> bool:
            query = """
                SELECT t.dag_id, t.start_date FROM task_instance t JOIN dag_run r USING (dag_id, run_id)
                WHERE t.task_id = 'quick' AND r.conf ->> 'open_at' = %s AND r.state = 'success'
            """
            started.update({row["dag_id"]: row["start_date"] for row in metadata.rows(query, [opening.isoformat()])})
            return len(started) == 2

        try:
            until(both, "both to end", 90)
        finally:
            for way in ("poke", "deferrable"):
                api.call("DELETE", f"pools/door_{way}")
    assert started["wait_deferrable"] < opening < started["wait_poke"]


@pytest.fixture
def exercise(running: Checkout) -> Iterator[Checkout]:
    """Lab 02's exercise as it comes, before and after."""
    yield running
    running.lab("reset", "02", "--yes")


def test_the_exercise_fails_its_checks_and_the_solution_passes(exercise: Checkout, rush: Race) -> None:
    del rush  # it does the step that is no exercise

    def missing() -> set[str]:
        told = exercise.lab("verify", "02", code=None).stdout
        return set(re.findall(r"^  ✗ .+  (\S+)$", told, re.MULTILINE))

    wanted = {step.id for step in config.lab("02").steps if step.exercise}
    until(lambda: missing() == wanted, "the verdict on the unsolved exercise", 60, 1)
    exercise.lab("reset", "02", "--solution", "--yes")
    with Api(exercise.stack.state) as api:
        api.reparse("wait_for_booking")  # its file: an edit during a parse would go unnoticed for 30 s
    exercise.lab("publish", "bookings", '{"table": 4, "guests": 2}')
    until(lambda: not missing(), "verify to pass", 90, 1)
