"""Which triggerer gets which trigger: PostgreSQL, and the function that a triggerer calls once a second (chapter 7)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa
from airflow.jobs.job import Job
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from world import dag, watched

if TYPE_CHECKING:
    from world import World

THRESHOLD = 30.0
"""Seconds, `[triggerer] triggerer_health_check_threshold`."""


def triggerer(*, silent: float = 0, ended: bool = False) -> int:
    """Return the number of a triggerer that gave its last sign of life so many seconds ago."""
    now = dt.datetime.now(dt.UTC)
    with create_session() as session:
        job = Job()
        job.job_type, job.latest_heartbeat = "TriggererJob", now - dt.timedelta(seconds=silent)
        job.end_date = now if ended else None
        session.add(job)
        session.flush()
        return int(job.id)


def assign(number: int, capacity: int = 1000, queues: set[str] | None = None) -> None:
    """What a triggerer does each second, before it looks at what its triggers say."""
    Trigger.assign_unassigned(number, capacity, THRESHOLD, queues=queues)


def owners(world: World) -> dict[str, int | None]:
    """Return each trigger's owner, by what it is for: a watcher, or a deferred task."""
    watchers = {row.trigger_id for row in world.rows("asset_watcher")}
    return {"watcher" if row.id in watchers else "deferred": row.triggerer_id for row in world.rows("trigger")}


def deferred(world: World, dag_id: str) -> None:
    """Give the Dag's only task instance a trigger to wait for."""
    world.fire(dag_id)
    world.schedule()
    with create_session() as session:
        trigger = Trigger("example.Trigger", {})
        session.add(trigger)
        session.flush()
        values = {"trigger_id": trigger.id, "state": TaskInstanceState.DEFERRED}
        session.execute(sa.update(TaskInstance).where(TaskInstance.dag_id == dag_id).values(values))


def test_a_deferred_task_comes_before_an_older_watcher(world: World) -> None:
    world.parse(dag("busy", watched("busy")))
    deferred(world, "busy")
    mine = triggerer()
    assign(mine, capacity=1)
    assert owners(world) == {"deferred": mine, "watcher": None}
    assign(mine, capacity=1)
    assert owners(world)["watcher"] is None, "it waits as long as the task does"
    assign(mine, capacity=2)
    assert owners(world)["watcher"] == mine


def test_of_each_kind_fifty_are_taken_in_a_round(world: World) -> None:
    """The page's riddle: a capacity of 100, 80 deferred tasks, 60 watchers, and a triggerer that has just started."""
    with DAG("many", schedule=watched("many", *(f"/{number}" for number in range(60)))) as many:
        for number in range(80):
            EmptyOperator(task_id=f"task{number}")
    world.parse(many)
    world.fire("many")
    world.schedule()
    with create_session() as session:
        for instance in session.scalars(sa.select(TaskInstance)):
            instance.trigger = Trigger("example.Trigger", {})
            instance.state = TaskInstanceState.DEFERRED
    mine = triggerer()

    def taken() -> Counter[str]:
        watchers = {row.trigger_id for row in world.rows("asset_watcher")}
        mine_now = [row.id for row in world.rows("trigger") if row.triggerer_id == mine]
        return Counter("watcher" if one in watchers else "deferred" for one in mine_now)

    assign(mine, capacity=100)
    assert taken() == {"deferred": 50, "watcher": 50}
    assign(mine, capacity=100)
    assert taken() == {"deferred": 50, "watcher": 50}, "it is full"


def test_a_watcher_that_has_its_place_keeps_it(world: World) -> None:
    world.parse(dag("first", watched("first")))
    mine = triggerer()
    assign(mine, capacity=1)
    deferred(world, "first")
    assign(mine, capacity=1)
    assert owners(world) == {"watcher": mine, "deferred": None}


def test_a_triggerer_with_queues_takes_no_watcher(world: World) -> None:
    world.parse(dag("plain", watched("plain")))
    assert [row.queue for row in world.rows("trigger")] == [None]
    assign(triggerer(), queues={"default", "orders"})
    assert owners(world) == {"watcher": None}
    mine = triggerer()
    assign(mine)
    assert owners(world) == {"watcher": mine}


def test_another_takes_over_when_the_heartbeat_is_too_old(world: World) -> None:
    world.parse(dag("taken", watched("taken")))
    for silent, ended, free in ((THRESHOLD - 5, False, False), (THRESHOLD + 1, False, True), (0, True, True)):
        former, other = triggerer(silent=silent, ended=ended), triggerer()
        with create_session() as session:
            session.execute(sa.update(Trigger).values(triggerer_id=former))
        assign(other)
        assert owners(world) == {"watcher": other if free else former}, (silent, ended)
