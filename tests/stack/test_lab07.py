"""Lab 07 on a real stack: as many triggerers as asked for, what waits when they are full, who is killed, the exercise.

The ends of triggerers and what they cost are measured by the notebook itself, which test_notebooks.py runs.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extras
import pytest
from driver import until

from labkit import config, verify
from labkit.airflow.api import Api
from labkit.stack.local import SECOND_TRIGGERER
from labkit.verify import NotYet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driver import Checkout

LAB = config.lab("07")
CHECKS = verify.module(LAB)
BRANCHES = [f"serve_branch_{number}" for number in range(1, 7)]


def rows(checkout: Checkout, query: str, *values: object) -> list[dict[str, Any]]:
    with checkout.stack.metadata() as metadata:
        return metadata.rows(query, values)


def switch(checkout: Checkout, dags: list[str], *, paused: bool) -> None:
    """Pause or un-pause Dags of one file, and have it parsed."""
    with checkout.stack.metadata() as metadata, Api(checkout.stack.state, 30) as api:
        until(lambda: metadata.dags().keys() >= set(dags), "the Dags to be parsed", 90)
        before = metadata.dags()[dags[0]]["last_parsed_time"]
        for dag in dags:
            api.set_paused(dag, paused=paused)
        api.reparse(dags[0])
        until(lambda: metadata.dags()[dags[0]]["last_parsed_time"] != before, "the parse")


def watched(checkout: Checkout) -> dict[str, int | None]:
    """Return the owner of each branch's watcher."""
    with checkout.stack.metadata() as metadata:
        return {one.asset: one.triggerer for one in metadata.watchers() if one.asset.startswith("branch_")}


def give(checkout: Checkout, capacity: int | None) -> None:
    """Change the triggerers' capacity as a notebook does: the checkout's own record has to tell of it."""
    done = subprocess.run(
        [".venv/bin/python", "-c", f"from labkit.notebook import Notebook; Notebook('07').capacity({capacity})"],
        cwd=checkout.root,
        env={**checkout.environment, "PYTHONPATH": str(checkout.root / "labs")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def alone(running: Checkout) -> Iterator[Checkout]:
    """The stack with one triggerer of the usual capacity, before and after."""
    running.stack.scale({"triggerer": 1})
    yield running
    running.stack.scale({"triggerer": 1})
    if running.stack.state.capacity:
        give(running, None)


def test_start_has_as_many_triggerers_as_asked_for_and_asking_again_is_harmless(alone: Checkout) -> None:
    first = alone.running_pids()["triggerer"]
    assert "triggerer=2" in alone.lab("start", "07", "--no-site", "--scale", "triggerer=2").stdout
    assert alone.stack.triggerers().keys() == {"triggerer", SECOND_TRIGGERER}
    second = alone.running_pids()[SECOND_TRIGGERER]
    for more in (("--scale", "triggerer=2"), ()):
        alone.lab("start", "07", "--no-site", *more)
        assert alone.running_pids()[SECOND_TRIGGERER] == second
    refused = alone.lab("start", "07", "--no-site", "--scale", "triggerer=3", code=2).stderr
    assert "between 1 and 2" in refused
    assert alone.running_pids()[SECOND_TRIGGERER] == second
    assert "worker" in alone.lab("start", "07", "--no-site", "--scale", "worker=2", code=2).stderr
    alone.lab("start", "07", "--no-site", "--scale", "triggerer=1")
    assert alone.stack.triggerers().keys() == {"triggerer"}
    assert alone.running_pids()["triggerer"] == first, "the first one was left alone"


def test_each_triggerer_is_found_by_its_job(alone: Checkout) -> None:
    stack = alone.stack
    stack.scale({"triggerer": 2})
    jobs = stack.triggerers()
    assert jobs[SECOND_TRIGGERER] > jobs["triggerer"]
    with stack.metadata() as metadata:
        assert set(metadata.triggerers()) == set(jobs.values())
        time.sleep(3)  # a job younger than the other's death would be the other's
        stack.kill("triggerer")  # it comes back, and its old job is never closed
        until(lambda: stack.triggerers().get("triggerer", 0) > jobs[SECOND_TRIGGERER], "the new job")
        assert stack.triggerers()[SECOND_TRIGGERER] == jobs[SECOND_TRIGGERER]
        assert jobs["triggerer"] in metadata.triggerers_began(), "Airflow writes down nobody's death"


def test_who_is_killed_for_good_neither_signs_off_nor_comes_back(alone: Checkout) -> None:
    stack = alone.stack
    stack.scale({"triggerer": 2})
    job = stack.triggerers()[SECOND_TRIGGERER]
    stack.kill(SECOND_TRIGGERER, for_good=True)
    assert SECOND_TRIGGERER not in alone.running_pids()
    time.sleep(3)  # what keeps it would have it again in one
    assert SECOND_TRIGGERER not in alone.running_pids()
    query = "SELECT id, state, end_date FROM job WHERE job_type = 'TriggererJob' AND id >= %s"
    assert rows(alone, query, job) == [{"id": job, "state": "running", "end_date": None}]


def test_a_full_triggerer_leaves_some_waiting_and_status_names_them(alone: Checkout) -> None:
    stack = alone.stack
    switch(alone, BRANCHES, paused=False)
    try:
        until(lambda: len(watched(alone)) == len(BRANCHES) and all(watched(alone).values()), "the watchers", 60)
        assert "No triggerer runs" not in alone.lab("status", code=None).stdout
        [counted] = rows(alone, "SELECT count(*) AS triggers FROM trigger")
        give(alone, counted["triggers"] - 2)
        with stack.metadata() as metadata:
            until(lambda: len(metadata.waiting()) == 2, "all but two to be taken", 60)
            late = metadata.waiting()
        names = {name for one in late for name in one.names}
        assert all(one.watcher for one in late)
        # Mostly those that came last, but a row that somebody has locked at that moment is passed over (`skip_locked`).
        assert len({one.trigger for one in late}) == 2
        until(lambda: "maximum capacity" in "".join(stack.log("triggerer")), "its word in the log")
        told = alone.lab("status", code=None).stdout
        assert "No triggerer runs: " in told
        assert all(name in told for name in names)
        assert f"may run {counted['triggers'] - 2} triggers" in told
        stack.add_triggerer()
        until(lambda: "No triggerer runs" not in alone.lab("status", code=None).stdout, "the other one to help", 60, 1)
        owners = {row["triggerer_id"] for row in rows(alone, "SELECT triggerer_id FROM trigger")}
        assert owners == set(stack.triggerers().values()), "now both have some"
    finally:
        switch(alone, BRANCHES, paused=True)
    until(lambda: not watched(alone), "the watchers to go")


class Made:
    """Answers questions from tables that were made up: temporary ones hide Airflow's own from their session."""

    def __init__(self, place: dict[str, str]) -> None:
        self.connection = psycopg2.connect(**place, cursor_factory=psycopg2.extras.RealDictCursor)
        with self.connection.cursor() as cursor:
            for table in ("job", "dag_run", "asset_event"):
                cursor.execute(f"CREATE TEMP TABLE {table} (LIKE public.{table})")
                cursor.execute(
                    "SELECT column_name AS name FROM information_schema.columns "
                    "WHERE table_schema LIKE 'pg_temp%%' AND table_name = %s AND is_nullable = 'NO'",
                    [table],
                )
                for row in cursor.fetchall():
                    cursor.execute(f'ALTER TABLE {table} ALTER COLUMN "{row["name"]}" DROP NOT NULL')

    def add(self, statement: str, *values: object) -> None:
        """Change a table."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def job(self, began: float, heard: float, ended: float | None = None) -> None:
        """Add a triggerer: when it began, was last heard of, and signed off; seconds of some day."""
        midnight = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
        moments = [None if at is None else midnight + dt.timedelta(seconds=at) for at in (began, heard, ended)]
        self.add(
            "INSERT INTO job (id, job_type, state, start_date, latest_heartbeat, end_date) "
            "VALUES ((SELECT count(*) + 1 FROM job), 'TriggererJob', %s, %s, %s, %s)",
            *("running" if ended is None else "success", *moments),
        )

    def rows(self, query: str, values: Any = None) -> list[dict[str, Any]]:
        """Answer a question, as the reader of the metadata database does."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, values)
            return [dict(row) for row in cursor.fetchall()]


@pytest.fixture
def made(running: Checkout) -> Iterator[Made]:
    tables = Made(dict(running.stack.state.database))
    yield tables
    tables.connection.close()


def says(check: Callable[[Any, config.Lab], None], tables: Made) -> str:
    """Return what a check finds missing, nothing where it is content."""
    try:
        check(tables, LAB)
    except NotYet as verdict:
        return str(verdict)
    return ""


def test_one_triggerer_after_another_is_no_pair(made: Made) -> None:
    for began, heard, ended in ((0, 99, 100), (101, 150, None), (152, 300, None)):
        made.job(began, heard, ended)
    for check in (CHECKS.shared, CHECKS.asked, CHECKS.killed):
        assert "No " in says(check, made), check


def test_a_pair_counts_and_how_one_of_it_ended(made: Made) -> None:
    made.job(0, 100)
    made.job(10, 102)
    assert says(CHECKS.shared, made) == ""
    assert "signed off" in says(CHECKS.asked, made)
    assert "died" in says(CHECKS.killed, made)
    made.job(50, 60, 61)
    assert "No order" in says(CHECKS.asked, made)
    made.add("INSERT INTO asset_event (id, asset_id) SELECT 1, id FROM asset WHERE name = 'branch_1_orders'")
    assert says(CHECKS.asked, made) == ""


def test_only_a_run_that_took_longer_than_its_second_had_to_wait(made: Made) -> None:
    run = """
        INSERT INTO dag_run (dag_id, state, start_date, end_date)
        VALUES ('steep_tea', 'success', now(), now() + %s * interval '1 second')
    """
    made.add(run, CHECKS.PATIENT - 1)
    assert "had to wait" in says(CHECKS.full, made)
    made.add(run, CHECKS.PATIENT + 1)
    assert says(CHECKS.full, made) == ""


def test_the_notebook_has_done_every_step_but_the_exercise(running: Checkout) -> None:
    told = running.lab("verify", "07", code=None).stdout
    if not rows(running, "SELECT 1 FROM dag_run WHERE dag_id = 'steep_tea'"):
        pytest.skip("test_notebooks.py has not run on this stack")
    done = {line.split()[-1] for line in told.splitlines() if line.strip().startswith("✓")}
    assert done >= {"shared", "asked", "killed", "full"}, told


def test_the_exercise_is_as_dear_as_the_page_says_and_the_solution_halves_it(running: Checkout) -> None:
    def said(code: int | None = 1) -> str:
        return running.lab("verify", "07", "exercise-halve", code=code).stdout

    assert "paused" in said()
    try:
        switch(running, ["count_tips"], paused=False)
        # On a busy machine two tips may make one run.
        told = f"8 tips left {8 * CHECKS.BEFORE} rows, {CHECKS.BEFORE}.0 each"
        until(lambda: told in said(), "the verdict on the exercise", 240, 1)
        running.lab("reset", "07", "--solution", "--yes")
        running.lab("restart", "triggerer")
        switch(running, ["count_tips"], paused=False)
        until(lambda: "This step is done" in said(None), "verify to pass", 200, 1)
    finally:
        running.lab("reset", "07", "--yes")
        switch(running, ["count_tips"], paused=True)
        running.lab("restart", "triggerer")
