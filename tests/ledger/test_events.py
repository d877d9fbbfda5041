"""What an event is to Airflow."""

from __future__ import annotations

import datetime as dt
import importlib
from typing import TYPE_CHECKING

from airflow.sdk import DAG
from airflow.sdk.definitions.timetables.simple import NullTimetable
from airflow.sdk.definitions.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable
from world import dag, watched

if TYPE_CHECKING:
    from world import World


def test_cron_and_intervals() -> None:
    assert isinstance(DAG("cron", schedule="0 0 * * *").timetable, CronTriggerTimetable)
    assert isinstance(DAG("interval", schedule=dt.timedelta(hours=6)).timetable, DeltaTriggerTimetable)
    assert isinstance(DAG("none").timetable, NullTimetable)  # noqa: AIR002  the default is the point


def test_events_start_dags(world: World) -> None:
    world.parse(dag("events_start", watched("events_start")))
    world.fire("events_start")
    world.schedule()
    (run,) = world.rows("dag_run")
    assert (run.run_type, run.triggered_by.value, run.logical_date) == ("asset_triggered", "asset", None)


def test_new_in_airflow_3() -> None:
    migration = importlib.import_module("airflow.migrations.versions.0048_3_0_0_add_trigger_asset_reference")
    assert migration.airflow_version == "3.0.0"
    assert importlib.import_module("airflow.sdk").AssetWatcher
