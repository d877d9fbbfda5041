"""What event-driven scheduling saves and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
from airflow.providers.common.messaging.triggers.msg_queue import MESSAGE_QUEUE_PROVIDERS
from airflow.providers.http.triggers.http import HttpEventTrigger
from airflow.sdk import BaseSensorOperator
from test_before import endless
from world import dag, watched

if TYPE_CHECKING:
    from pathlib import Path

    from world import World


def writes(statements: list[str]) -> list[str]:
    """Return which statements change something, as `INSERT asset_event`."""
    verbs = {"INSERT": 2, "UPDATE": 1, "DELETE": 2}
    words = [statement.replace('"', "").split() for statement in statements]
    return [f"{each[0]} {each[verbs[each[0]]]}" for each in words if each[0] in verbs]


def test_less_scheduling(world: World) -> None:
    world.parse(dag("waits", watched("waits")))
    with world.statements() as idle:
        world.schedule()
    assert idle, "it looks"
    assert writes(idle) == [], "and writes nothing, however long it waits"
    world.parse(endless("busy"))
    with world.statements() as busy:
        world.schedule()
    assert {"INSERT dag_run", "INSERT task_instance"} <= set(writes(busy))


def test_simpler_dags(world: World, root: Path) -> None:
    """The Dag of lab 03, whole: no sensor, no timetable, one trigger."""
    parsed = DagBag(root / "labs/03-asset-watchers/dags")
    assert parsed.import_errors == {}
    made = parsed.dags["handle_order"]
    assert not [task for task in made.tasks if isinstance(task, BaseSensorOperator)]
    world.parse(made)
    assert world.count("asset_watcher") == 1


def test_only_two_providers() -> None:
    assert {each.scheme for each in MESSAGE_QUEUE_PROVIDERS} == {"kafka", "kinesis", "redis+pubsub", "sqs"}


def test_choice_is_limited() -> None:
    from test_queues import event_triggers

    assert {"amazon.aws", "apache.kafka", "http", "standard"} <= set(event_triggers().values())


def test_database_is_the_limit(world: World) -> None:
    world.parse(dag("costly", watched("costly")))
    world.fire("costly")
    with world.statements() as one:
        world.fire("costly")
    with world.statements() as five:
        for _ in range(5):
            world.fire("costly")
    assert writes(one).count("INSERT asset_event") == 1
    assert len(five) == 5 * len(one), "nothing is saved by coming together"


def test_all_rows_are_updated(world: World) -> None:
    world.parse(dag("written", watched("written")))
    with world.statements() as event:
        world.fire("written")
    assert sorted(writes(event)) == ["INSERT asset_dag_run_queue", "INSERT asset_event"]
    with world.statements() as run:
        world.schedule()
    written = {each.split()[1] for each in writes(run)}
    assert {"dag_run", "task_instance", "dagrun_asset_event", "asset_dag_run_queue"} <= written
    assert not {"asset", "trigger", "asset_watcher"} & written, "these stay as they are"


def test_polling_interval() -> None:
    assert not [option for option in conf.getsection("triggerer") if "poll" in option]
    assert SqsSensorTrigger(sqs_queue="q").waiter_delay == 60
    kafka = AwaitMessageTrigger(topics=["orders"])
    assert (kafka.poll_timeout, kafka.poll_interval) == (1, 5)
    assert HttpEventTrigger(response_check_path="a.b").poll_interval == 60
