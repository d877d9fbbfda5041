"""AIP-82 as an idea."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.api_fastapi.core_api.datamodels.assets import CreateAssetEventsBody
from airflow.configuration import conf
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.definitions.timetables.assets import AssetTriggeredTimetable
from test_before import routes
from world import dag, watched

if TYPE_CHECKING:
    from world import World


def test_asset_meets_trigger(world: World) -> None:
    trigger = FileDeleteTrigger(filepath="/orders")
    orders = Asset("orders", watchers=[AssetWatcher(name="file", trigger=trigger)])
    made = dag("asset_meets_trigger", orders)
    assert isinstance(made.timetable, AssetTriggeredTimetable)
    world.parse(made)
    (asset,), (link,), (row,) = (world.rows(table) for table in ("asset", "asset_watcher", "trigger"))
    assert (link.asset_id, link.trigger_id) == (asset.id, row.id)


def test_poll_not_push() -> None:
    assert ("POST", "/assets/events") in routes(), "the door for those who push"
    pushed = CreateAssetEventsBody(asset_id=1, partition_key="2026-11", extra={})
    assert pushed.extra == {"from_rest_api": True}
    assert not [option for option in conf.getsection("triggerer") if "poll" in option], "no interval in the core"


def test_no_run_to_wait(world: World) -> None:
    world.parse(dag("no_run", watched("no_run")))
    world.schedule()
    assert (world.count("trigger"), world.count("dag_run"), world.count("task_instance")) == (1, 0, 0)


def test_quicker_start(world: World) -> None:
    world.parse(dag("quicker", watched("quicker")))
    world.fire("quicker")
    world.schedule()
    assert (world.count("dag_run"), world.count("task_instance")) == (1, 1), "the first pass makes the run"


def test_event_then_run(world: World) -> None:
    world.parse(dag("event_then_run", watched("event_then_run")))
    assert world.count("asset_event") == 0
    world.fire("event_then_run", 0)
    assert (world.count("asset_event"), world.count("dag_run")) == (1, 0)
    for number in range(1, 5):
        world.fire("event_then_run", number)
    assert (world.count("asset_event"), world.count("asset_dag_run_queue")) == (5, 1)
    for _ in range(3):
        world.schedule()
    assert world.runs("event_then_run") == [[0]], "five events, one run, and it has the first"
    world.fire("event_then_run", 5)
    world.schedule()
    assert world.runs("event_then_run") == [[0], [1, 2, 3, 4, 5]]


def test_no_sensor_task(world: World) -> None:
    world.parse(dag("no_sensor", watched("no_sensor")))
    world.fire("no_sensor")
    world.schedule()
    assert [(task.task_id, task.operator) for task in world.rows("task_instance")] == [("task", "EmptyOperator")]
