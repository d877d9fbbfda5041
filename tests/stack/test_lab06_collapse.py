"""Lab 06, first half, on a real stack: how many runs events make, which ways round it hold, the exercise."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest
from driver import until
from tests import pages

from labkit import collapse, config, environments, i18n
from labkit.airflow import queueing, settings
from labkit.airflow.api import Api
from labkit.airflow.metadata import make_database
from labkit.brokers import client
from labkit.stack import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driver import Checkout

    from labkit.collapse import Report

WAYS = {
    "mend_batch": ("tickets-batch", "ticket_batches"),
    "mend_spacing": ("tickets-spacing", "tickets_spaced"),
    "mend_drain": ("tickets-drain", "tickets_drained"),
    "mend_flush": ("tickets-flush", "tickets_flushed"),
}
"""Dag → its topic and its asset."""


@pytest.fixture(scope="module")
def counted(checkout: Checkout) -> Report:
    """`./lab collapse` on the stack's own Airflow."""
    checkout.having("06")
    told = checkout.lab("collapse").stdout
    assert "stranded" in told
    (file,) = (checkout.root / "build" / "collapse").glob("*.json")
    return collapse.load(file)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_chapters_tables_say_what_is_counted(language: str, counted: Report) -> None:
    nothing = {"en": "none", "zh-TW": "沒有"}[language]
    rules = zip(pages.table("chapters/06-collapse", language, "ch06c-rules"), counted.outcomes, strict=True)
    rows = {row[0]: row[1:] for row in pages.table("chapters/06-collapse", language, "ch06c-next")}
    for row, one in rules:
        assert row[0].startswith(f"{one.case}`")
        if one.case == "spaced":  # two seconds are enough for a scheduler that has the time: not always, here
            assert len(one.runs) > 1
            continue
        runs, then = (collapse.listed(some) if some else nothing for some in (one.runs, one.then))
        assert row[1:] == [str(len(one.runs)), runs, str(one.left), then]
        assert rows[one.case][:2] == [str(len(one.runs)), str(one.left)]


def test_what_was_left_behind_comes_with_the_next_event(counted: Report) -> None:
    assert sum(one.left for one in counted.outcomes) > 0
    assert sum(one.still for one in counted.outcomes) == 0


@pytest.fixture(scope="module")
def watching(checkout: Checkout, counted: Report) -> Iterator[Checkout]:
    """The stack with the four ways un-paused and watched."""
    state = checkout.stack.state
    with checkout.stack.metadata() as metadata, Api(state) as api:
        for dag in WAYS:
            api.set_paused(dag, paused=False)
        api.reparse("mend_batch")
        assets = {asset for _, asset in WAYS.values()}
        until(lambda: assets <= {one.asset for one in metadata.watchers() if one.triggerer}, "the watchers", 60)
        yield checkout
        for dag in WAYS:
            api.set_paused(dag, paused=True)
        api.reparse("mend_batch")
        until(lambda: not assets & {one.asset for one in metadata.watchers()}, "the watchers to go", 60)


def order(checkout: Checkout, count: int, numbers: Iterator[int]) -> dict[str, set[int]]:
    """Send tickets to all four topics, as quickly as it goes; returns their numbers."""
    sent = {dag: list(itertools.islice(numbers, count)) for dag in WAYS}
    for dag, (topic, _) in WAYS.items():
        client.publish(checkout.stack.state.bootstrap, topic, [json.dumps({"ticket": one}) for one in sent[dag]])
    return {dag: set(some) for dag, some in sent.items()}


def handled(checkout: Checkout, dag: str) -> set[int]:
    """Return the numbers that a Dag's tasks returned."""
    query = "SELECT value FROM xcom WHERE dag_id = %s AND key = 'return_value'"
    with checkout.stack.metadata() as metadata:
        return {number for row in metadata.rows(query, [dag]) for number in row["value"]}


def test_all_four_ways_handle_a_burst_and_only_drain_holds_when_the_scheduler_is_slow(watching: Checkout) -> None:
    numbers = itertools.count(int(time.time()))
    stack = watching.stack
    newest = """
        SELECT e.extra ->> 'payload' AS payload FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'tickets_flushed' ORDER BY e.id DESC LIMIT 1
    """
    stranded = (config.find_collapse()[0].folder / "stranded.sql").read_text(encoding="utf-8")
    with stack.metadata() as metadata:

        def events(since: queueing.Mark) -> dict[str, int]:
            return {dag: queueing.count(metadata, dag, [asset], since).events for dag, (_, asset) in WAYS.items()}

        def burst() -> bool:
            begin = queueing.mark(metadata)
            with stack.hold("scheduler"):
                sent = order(watching, 5, numbers)
                until(lambda: min(events(begin).values()) >= 1 and events(begin)["mend_flush"] >= 5, "the burst")
            with contextlib.suppress(AssertionError):
                return bool(until(lambda: all(sent[dag] <= handled(watching, dag) for dag in WAYS), "every ticket", 40))
            return False

        # Three of the four need a machine that is not too busy: one burst of three will do.
        assert any(burst() for _ in range(3))
        until(lambda: not queueing.pending(metadata, WAYS), "all runs to end")

        begin = queueing.mark(metadata)
        with stack.hold("scheduler"):
            first = order(watching, 1, numbers)
            until(lambda: min(events(begin).values()) == 1, "the first ones' events")
            second = order(watching, 1, numbers)
            wanted = {"mend_batch": 2, "mend_spacing": 2, "mend_drain": 2, "mend_flush": 3}
            until(lambda: all(events(begin)[dag] >= count for dag, count in wanted.items()), "all events")
            until(lambda: metadata.rows(newest)[0]["payload"] is None, "the flush")
        until(lambda: all(first[dag] <= handled(watching, dag) for dag in WAYS), "the first tickets")
        until(lambda: not queueing.pending(metadata, WAYS), "all runs to end")
        assert {dag for dag in WAYS if second[dag] <= handled(watching, dag)} == {"mend_drain"}
        # Drain's second event has no run either; it has been handled all the same.
        assert {row["dag_id"] for row in metadata.rows(stranded)} & WAYS.keys() == WAYS.keys()

        last = order(watching, 1, numbers)
        until(lambda: all(second[dag] | last[dag] <= handled(watching, dag) for dag in WAYS), "what was left behind")
        until(lambda: not {row["dag_id"] for row in metadata.rows(stranded)} & WAYS.keys(), "nothing to be stranded")


def test_the_exercise_strands_and_the_solution_does_not(running: Checkout) -> None:
    def switch(*, paused: bool) -> None:
        with running.stack.metadata() as metadata, Api(running.stack.state) as api:
            until(lambda: "print_labels" in metadata.dags(), "the Dag to be parsed", 90)
            api.set_paused("print_labels", paused=paused)
            api.reparse("print_labels")
            watched = lambda: "labels" in {one.asset for one in metadata.watchers() if one.triggerer}  # noqa: E731
            until(lambda: watched() != paused, "the watcher to come or go", 60)

    assert "paused" in running.lab("verify", "06", "exercise-mend", code=1).stdout
    switch(paused=False)
    try:
        said = running.lab("verify", "06", "exercise-mend", code=1).stdout
        assert re.search(r"4 were not printed", said)
        running.lab("reset", "06", "--solution", "--yes")
        running.lab("restart", "triggerer")
        switch(paused=False)
        until(lambda: running.lab("verify", "06", "exercise-mend", code=None).returncode == 0, "verify to pass", 120, 1)
    finally:
        running.lab("reset", "06", "--yes")
        switch(paused=True)
        # A triggerer that knows the solution's class would hide what is wrong with the exercise.
        running.lab("restart", "triggerer")


@pytest.fixture
def with_next_release(checkout: Checkout, root: Path) -> Iterator[str]:
    """The checkout with an environment that has Airflow's next release; yields which that is."""
    ((release, name),) = environments.airflow_releases().items()
    environments.make(name)
    made = environments.folder(name)
    place = checkout.root / ".lab" / "environments" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(made)
    yield release
    place.unlink()


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the lock's wheels of the pre-release are tried on Linux only")
def test_the_next_release_makes_the_runs_that_were_recorded(with_next_release: str, checkout: Checkout) -> None:
    checkout.lab("collapse", "--airflow", with_next_release, timeout=600)
    again = collapse.load(checkout.root / "build" / "collapse" / f"{with_next_release}.json")
    _, wanted = config.find_collapse()
    assert again == collapse.load(wanted.recorded / f"{with_next_release}.json")
    assert not (checkout.root / ".lab" / "side-state.json").exists()


@pytest.fixture
def copied(running: Checkout) -> Iterator[Callable[[], str]]:
    """What copies the metadata database as it is, and returns the copy's name; it goes with the test."""
    stack, name = running.stack, "upgraded"
    server = ["-h", stack.state.database["host"], "-U", "airflow"]
    programs = postgres.binaries(stack.state.folder)

    def copy() -> str:
        make_database(stack.state, name)
        dump = subprocess.run([programs / "pg_dump", *server, "airflow"], capture_output=True, check=True)
        restore = [programs / "psql", *server, "-q", "-v", "ON_ERROR_STOP=1", name]
        subprocess.run(restore, input=dump.stdout, stdout=subprocess.DEVNULL, check=True)
        return name

    yield copy
    subprocess.run([programs / "dropdb", *server, "--maintenance-db=airflow", "--if-exists", name], check=True)


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the lock's wheels of the pre-release are tried on Linux only")
def test_an_upgrade_queues_what_one_more_event_had_behind_it_and_nothing_else_that_is_stranded(
    with_next_release: str, running: Checkout, copied: Callable[[], str]
) -> None:
    stack, assets = running.stack, ("rule_quick", "rule_spaced", "rule_cream")
    dags = ("rule_quick", "rule_spaced", "rule_either")
    with stack.metadata() as metadata, Api(stack.state, 30) as api:
        until(lambda: len(queueing.asset_ids(metadata, assets)) == len(assets), "the assets", 90)
        ids = queueing.asset_ids(metadata, assets)

        def send(asset: str, count: int) -> list[int]:
            """Return the ids of the events."""
            answers = [
                api.call("POST", "assets/events", json={"asset_id": ids[asset], "extra": {}}) for _ in range(count)
            ]
            return [int(one["id"]) for one in answers]

        until(lambda: not queueing.pending(metadata, dags), "all to rest", 60)
        with stack.hold("scheduler"):
            quick, spaced = send("rule_quick", 5), send("rule_spaced", 5)
        until(lambda: not queueing.pending(metadata, dags), "both runs", 60)
        with stack.hold("scheduler"):  # as it is when somebody upgrades: stopped
            more, unseen = send("rule_spaced", 1), send("rule_cream", 5)
            name = copied()
        until(lambda: not queueing.pending(metadata, dags), "all runs", 60)
        send("rule_cream", 1)  # nothing is left behind for the tests that follow
        send("rule_quick", 1)
    python = environments.interpreter(environments.airflow_releases()[with_next_release])
    place = f"postgresql+psycopg2://airflow@/{name}?host={stack.state.database['host']}"
    environment = settings.environment(stack.state, []) | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": place}
    migrate = [python, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env={**os.environ, **environment}, capture_output=True, check=True)
    with (
        contextlib.closing(psycopg2.connect(**{**stack.state.database, "dbname": name})) as copy,
        copy.cursor() as cursor,
    ):
        cursor.execute("SELECT asset_event_id FROM asset_dag_run_queue WHERE target_dag_id = ANY(%s)", [list(dags)])
        queued = {row[0] for row in cursor.fetchall()}
    assert queued == {*spaced[1:], *more, unseen[0]}
    assert not queued & {*quick, *unseen[1:]}


WHO_BATCHES = """
from airflow.sdk import Asset, AssetTriggeredTimetable

one, other = Asset("one"), Asset("other")
said = [AssetTriggeredTimetable(assets=one), AssetTriggeredTimetable(assets=one & other)]
said += [AssetTriggeredTimetable(assets=one, batch_asset_events=batch) for batch in (False, True)]
print([timetable.batch_asset_events for timetable in said])
try:
    AssetTriggeredTimetable(assets=one & other, batch_asset_events=False).validate()
except Exception as error:
    print(error)
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the lock's wheels of the pre-release are tried on Linux only")
@pytest.mark.parametrize(("configured", "default"), [("False", False), ("True", True)])
def test_on_the_next_release_the_dag_says_whether_it_batches_then_the_configuration(
    configured: str, *, default: bool, with_next_release: str, checkout: Checkout, tmp_path: Path
) -> None:
    python = checkout.root / ".lab" / "environments" / environments.airflow_releases()[with_next_release] / "bin/python"
    told = subprocess.run(
        [python, "-c", WHO_BATCHES],
        env={
            **checkout.environment,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__SCHEDULER__BATCH_ASSET_EVENTS": configured,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    said, refused = told.stdout.splitlines()[-2:]
    assert said == str([default, True, False, True])
    assert "Asset AND conditions require batch_asset_events=True" in refused


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the lock's wheels of the pre-release are tried on Linux only")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9 and stop"])
def test_a_second_airflow_goes_with_its_command(how: signal.Signals, with_next_release: str, running: Checkout) -> None:
    record = running.root / ".lab" / "side-state.json"
    counting = running.begin("collapse", "--airflow", with_next_release)
    until(record.exists, "the second stack's record")
    folder = Path(json.loads(record.read_text(encoding="utf-8"))["run"])
    until((folder / "supervisord.pid").exists, "its processes", 180)
    os.killpg(counting.pid, how)
    counting.wait(timeout=60)
    if how == signal.SIGKILL:
        running.lab("stop")
    until(lambda: not any(str(folder) in line for line in command_lines()), "them to go", 30)
    assert not record.exists()
    assert not folder.exists()


def command_lines() -> Iterator[str]:
    """Yield the command lines of this machine's processes."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            yield " ".join(process.cmdline())
