"""How a Dag waited for events before AIP-82."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
import yaml
from airflow.api_fastapi.core_api import openapi
from airflow.configuration import conf
from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageSensor, AwaitMessageTriggerFunctionSensor
from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
from airflow.sdk import DAG, BaseSensorOperator
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.simple import ContinuousTimetable
from world import dag, watched

if TYPE_CHECKING:
    from world import World

START = pendulum.datetime(2026, 1, 1, tz="UTC")


@functools.cache
def routes() -> set[tuple[str, str]]:
    """Return the methods and paths of Airflow's public API."""
    folder = Path(openapi.__file__).parent
    paths = yaml.load((folder / "v2-rest-api-generated.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["paths"]
    return {(method.upper(), path.removeprefix("/api/v2")) for path, methods in paths.items() for method in methods}


def endless(dag_id: str) -> DAG:
    return dag(dag_id, "@continuous", start_date=START, max_active_runs=1)


def sensor(**options: Any) -> AwaitMessageTriggerFunctionSensor:
    """Return the sensor of the seed's example, with the arguments that it has there."""
    return AwaitMessageTriggerFunctionSensor(
        task_id="listen",
        kafka_config_id="kafka_listener",
        topics=["moods"],
        apply_function="listen_to_the_stream.listen_function",
        poll_interval=5,
        poll_timeout=1,
        apply_function_kwargs={"moods": ["sad"]},
        **{"event_triggered_function": print, **options},
    )


def test_old_way_took_a_loop() -> None:
    """A loop inside was one way; these doors for the outside are the other."""
    assert {("POST", "/dags/{dag_id}/dagRuns"), ("POST", "/assets/events")} <= routes()


def test_continuous_never_ends() -> None:
    past = DataInterval(START, START.add(minutes=1))
    restriction = TimeRestriction(earliest=START, latest=None, catchup=False)
    following = ContinuousTimetable().next_dagrun_info(last_automated_data_interval=past, restriction=restriction)
    assert following is not None
    assert following.run_after <= pendulum.now("UTC"), "due at once, whenever you ask"


def test_continuous_allows_one_run() -> None:
    with pytest.raises(ValueError, match="ContinuousTimetable requires max_active_runs <= 1"):
        DAG("too_many", schedule="@continuous", start_date=START)
    assert conf.getint("core", "max_active_runs_per_dag") == 16
    assert endless("one").max_active_runs == 1


def test_sensor_of_the_example() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute({})
    assert isinstance(deferred.value.trigger, AwaitMessageTrigger)
    assert deferred.value.trigger.topics == ["moods"]


def test_apply_function_by_name() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute({})
    _, kwargs = deferred.value.trigger.serialize()
    assert kwargs["apply_function"] == "listen_to_the_stream.listen_function", "the name travels, not the function"
    _, kwargs = AwaitMessageTrigger(topics=["moods"]).serialize()
    assert kwargs["apply_function"] is None, "and it may be left out"


def test_event_lets_next_task_run() -> None:
    plain = AwaitMessageSensor(task_id="plain", topics=["moods"], apply_function="a.b")
    assert plain.execute_complete({}, event="hello") == "hello", "this one ends"
    heard: list[Any] = []
    listener = sensor(event_triggered_function=lambda event, **_: heard.append(event))
    with pytest.raises(TaskDeferred) as again:
        listener.execute_complete({}, event="hello")
    assert heard == ["hello"]
    assert isinstance(again.value.trigger, AwaitMessageTrigger), "that of the example waits again, and never ends"


def test_one_run_at_a_time(world: World) -> None:
    assert ContinuousTimetable.active_runs_limit == 1
    world.parse(endless("one_run"))
    for _ in range(3):
        world.schedule()
    assert world.count("dag_run") == 1


def test_next_event_waits(world: World) -> None:
    world.parse(endless("next_waits"))
    world.schedule()
    world.schedule()
    assert world.count("dag_run") == 1, "the first one is not done"
    world.finish("next_waits")
    world.schedule()
    assert world.count("dag_run") == 2


def test_quiet_times_are_fine(world: World) -> None:
    world.parse(endless("old_way"), dag("new_way", watched("new_way")))
    world.schedule()
    assert {run.dag_id for run in world.rows("dag_run")} == {"old_way"}, "it runs though nothing happened"


def test_sensor_takes_a_slot() -> None:
    class Looks(BaseSensorOperator):
        """Sees it at the third look."""

        looks = 0

        def poke(self, context: Any) -> bool:  # noqa: ARG002  a sensor's interface
            self.looks += 1
            return self.looks == 3

    class Waiting:
        @staticmethod
        def get_first_reschedule_date(_context: Any) -> dt.datetime:
            return dt.datetime.now(dt.UTC)

    stays = Looks(task_id="stays", poke_interval=0.01)
    assert stays.mode == "poke"
    stays.execute({})
    assert stays.looks == 3, "all three looks in one stay on the worker"
    leaves = Looks(task_id="leaves", poke_interval=0.01, mode="reschedule")
    with pytest.raises(AirflowRescheduleException):
        leaves.execute({"ti": Waiting()})
    assert leaves.looks == 1, "one look, then the slot is free"
