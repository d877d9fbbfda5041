"""Lab 01 on a running stack: what its pages say of clocks, watchers and pushes, and its exercise.

The race of the four ways, with its order of reaction times and its looks in vain, is asserted by the notebook itself,
which test_notebooks.py runs.
"""

from __future__ import annotations

import json
import re
import statistics
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from driver import until

from labkit.airflow.api import Api
from labkit.arrivals import paced, poisson
from labkit.brokers.client import Sender
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driver import Checkout

LAB = "01-events-and-schedules"
BY_INTERVAL = """
from datetime import timedelta

from airflow.sdk import DAG, task

with DAG(
    "slips_by_interval",
    schedule=timedelta(seconds=5),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
):

    @task
    def handle():
        from slip_box import take_new

        return take_new("kafka_slips_interval")

    handle()
"""


def rows(checkout: Checkout, query: str, *values: object) -> list[dict[str, Any]]:
    with checkout.stack.metadata() as metadata:
        return metadata.rows(query, values)


def push(checkout: Checkout, asset: str, extra: dict[str, Any], **more: Any) -> int:
    """Push an event as somebody outside would; returns its id."""
    [found] = rows(checkout, "SELECT id FROM asset WHERE name = %s", asset)
    with Api(checkout.stack.state) as api:
        event = api.call("POST", "assets/events", json={"asset_id": found["id"], "extra": extra, **more})
    return int(event["id"])


def runs_of(checkout: Checkout, event: int) -> set[str]:
    """Return the Dags that have had a run on the event that has ended."""
    query = """
        SELECT r.dag_id FROM dagrun_asset_event x JOIN dag_run r ON r.id = x.dag_run_id
        WHERE x.event_id = %s AND r.state IN ('success', 'failed')
    """
    return {row["dag_id"] for row in rows(checkout, query, event)}


def stored(checkout: Checkout, event: int) -> dict[str, Any]:
    [row] = rows(checkout, "SELECT extra::jsonb AS extra, partition_key FROM asset_event WHERE id = %s", event)
    return row


def watched(checkout: Checkout, mark: str) -> int | None:
    """Return the event that the desk's watcher made of a message with this mark."""
    query = "SELECT id FROM asset_event WHERE extra::jsonb ->> 'payload' LIKE %s"
    found = rows(checkout, query, f"%{mark}%")
    return found[0]["id"] if found else None


def marks(text: str) -> dict[str, bool]:
    return {step: mark == "✓" for mark, step in re.findall(r"^  ([✓✗]) .+  (\S+)$", text, re.MULTILINE)}


def test_a_watchers_event_has_a_payload_and_never_a_key(running: Checkout) -> None:
    mark = uuid.uuid4().hex
    running.lab("publish", "desk", json.dumps({"order_id": 1, "mark": mark}))
    event = until(lambda: watched(running, mark), "the watcher's event")
    row = stored(running, event)
    assert row["extra"].keys() == {"from_trigger", "payload"}
    assert row["extra"]["from_trigger"] is True
    assert json.loads(row["extra"]["payload"])["mark"] == mark
    assert row["partition_key"] is None
    until(lambda: runs_of(running, event) == {"desk_for_all"}, "the ordinary Dag's run, and no other")


def test_a_pushed_event_has_what_the_sender_wrote_and_says_that_it_was_pushed(running: Checkout) -> None:
    event = push(running, "desk", {"order_id": 2, "from_trigger": True, "from_rest_api": False})
    assert stored(running, event)["extra"] == {"order_id": 2, "from_trigger": True, "from_rest_api": True}
    until(lambda: runs_of(running, event) == {"desk_for_all"}, "the ordinary Dag's run, and no other")


def test_a_key_wakes_the_partitioned_dag_and_the_ordinary_one_takes_the_event_along_later(running: Checkout) -> None:
    keyed = push(running, "desk", {"order_id": 3}, partition_key="north")
    assert stored(running, keyed)["partition_key"] == "north"
    until(lambda: runs_of(running, keyed) == {"desk_by_branch"}, "the partitioned Dag's run, and no other")
    plain = push(running, "desk", {"order_id": 4})
    until(lambda: runs_of(running, plain) == {"desk_for_all"}, "the run on the event without a key")
    assert runs_of(running, keyed) == {"desk_by_branch", "desk_for_all"}


def test_the_partitioned_dag_leaves_a_note_of_each_event_without_a_key(running: Checkout) -> None:
    def notes() -> int:
        return len(rows(running, "SELECT 1 FROM log WHERE event = 'missing partition key'"))

    before = notes()
    push(running, "desk", {"order_id": 5})
    assert notes() == before + 1


@pytest.mark.parametrize("wrong", [{"asset_id": 0}, {"payload": 1}, {"extra": [1]}, {"partition_key": " "}], ids=str)
def test_what_the_interface_refuses_leaves_no_event(wrong: dict[str, Any], running: Checkout) -> None:
    [asset] = rows(running, "SELECT id FROM asset WHERE name = 'desk'")
    count = "SELECT count(*) AS events FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = 'desk'"
    before = rows(running, count)
    with Api(running.stack.state) as api, pytest.raises(LabError):
        api.call("POST", "assets/events", json={"asset_id": asset["id"], **wrong})
    assert rows(running, count) == before


@pytest.fixture
def busy(running: Checkout) -> Iterator[Checkout]:
    """A stack in which an interval of 5 seconds and the watcher look after the slips."""
    file = running.root / "work" / LAB / "by_interval.py"
    file.write_text(BY_INTERVAL, encoding="utf-8")
    dags = ["slips_by_interval", "slips_by_watcher"]
    until(lambda: rows(running, "SELECT 1 FROM dag WHERE dag_id = 'slips_by_interval' AND NOT is_stale"), "the Dag", 90)
    with Api(running.stack.state) as api:
        for dag in dags:
            api.set_paused(dag, paused=False)
            api.reparse(dag)
    taken = """
        SELECT 1 FROM asset_watcher w JOIN trigger t ON t.id = w.trigger_id
        WHERE w.name = 'slips_on_kafka' AND t.triggerer_id IS NOT NULL
    """
    until(lambda: rows(running, taken), "the watcher to be taken")
    looked = "SELECT 1 FROM dag_run WHERE dag_id = 'slips_by_interval' AND state = 'success'"
    until(lambda: rows(running, looked), "the clock's first look")
    yield running
    at_work = "SELECT dag_id, run_id FROM dag_run WHERE dag_id = ANY(%s) AND state IN ('queued', 'running')"
    with Api(running.stack.state) as api:
        for dag in dags:
            api.set_paused(dag, paused=True)
        # The tasks of a paused Dag are not started any more, so a run that has just begun would never end.
        for run in rows(running, at_work, dags):
            api.call("PATCH", f"dags/{run['dag_id']}/dagRuns/{run['run_id']}", json={"state": "failed"})
        api.reparse("slips_by_watcher")
        file.unlink()
        api.delete_dag("slips_by_interval")
    until(lambda: not rows(running, taken), "the watcher to go")


def test_where_a_lot_comes_a_quick_clock_is_ahead_of_a_watcher_that_takes_one_message_a_time(busy: Checkout) -> None:
    stream, count = uuid.uuid4().hex[:6], 30
    sender = Sender(busy.stack.state.bootstrap)
    for number in paced(poisson(count, 2, 411)):
        sender.send("slips", json.dumps({"stream": stream, "slip": number}))
    arrived = {json.loads(message.value)["slip"]: message.produced_at for message in sender.finish()}

    def handled(way: str) -> dict[int, float]:
        query = """
            SELECT (s ->> 'slip')::int AS slip, i.start_date
            FROM xcom x CROSS JOIN LATERAL jsonb_array_elements(x.value) AS s
            JOIN task_instance i ON (i.dag_id, i.run_id, i.task_id) = (x.dag_id, x.run_id, x.task_id)
            WHERE x.dag_id = %s AND x.key = 'return_value' AND s ->> 'stream' = %s
        """
        found = rows(busy, query, f"slips_by_{way}", stream)
        return {row["slip"]: (row["start_date"] - arrived[row["slip"]]).total_seconds() for row in found}

    until(lambda: len(handled("interval")) == count, "the clock to have handled all", 60)
    # The last messages may lie in one event's shadow until another one comes; most are enough to tell who is ahead.
    until(lambda: len(handled("watcher")) >= count * 0.8, "the watcher to have handled most", 150)
    assert statistics.median(handled("interval").values()) < statistics.median(handled("watcher").values())


@pytest.fixture
def exercise(running: Checkout) -> Iterator[Checkout]:
    """Lab 01's exercise as it comes, before and after."""
    until(lambda: parsed(running), "the exercise to be parsed", 90)
    yield running
    running.lab("reset", "01", "--yes")
    until(lambda: parsed(running), "the exercise to be parsed", 90)


def parsed(checkout: Checkout) -> bool:
    """Tell whether Airflow knows the learner's file as it is now."""
    edited = (checkout.root / "work" / LAB / "pack_parcel.py").stat().st_mtime
    with checkout.stack.metadata() as metadata:
        dag = metadata.dags().get("pack_parcel")
        return bool(dag and dag["last_parsed_time"].timestamp() > edited and not metadata.import_failures())


def test_the_exercise_fails_on_a_push_and_the_solution_understands_both_doors(exercise: Checkout) -> None:
    exercise.lab("publish", "parcels", '{"order_id": 801}')
    # Not before the first has its run: events that come together share one, and this one is to fail.
    until(lambda: verdict(exercise)["exercise-watcher"], "the parcel from the topic", 60, 1)
    unsolved = push(exercise, "parcels", {"order_id": 802})
    until(lambda: runs_of(exercise, unsolved), "the run on the push")
    assert not verdict(exercise)["exercise-push"]
    exercise.lab("reset", "01", "--solution", "--yes")
    until(lambda: parsed(exercise), "the solution to be parsed", 90)
    push(exercise, "parcels", {"order_id": 803, "from_trigger": True})
    until(lambda: verdict(exercise)["exercise-push"], "the parcel that was pushed", 60, 1)
    assert verdict(exercise)["exercise-watcher"]


def verdict(checkout: Checkout) -> dict[str, bool]:
    return marks(checkout.lab("verify", "01", code=None).stdout)
