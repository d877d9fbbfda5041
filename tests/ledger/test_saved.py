"""How what a Dag file says of its watchers gets into the database."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import attrs
import pytest
from airflow.dag_processing.collection import AssetModelOperation
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import dag as dag_module
from airflow.models.base import Base
from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import Asset, AssetWatcher
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db_cleanup import config_dict
from world import dag, watched

if TYPE_CHECKING:
    from world import World


def test_watchers_parameter() -> None:
    trigger = FileDeleteTrigger(filepath="/a")
    (watcher,) = Asset("a", watchers=[AssetWatcher(name="one", trigger=trigger)]).watchers
    assert watcher.trigger is trigger
    assert Asset("b").watchers == []


def test_bare_trigger() -> None:
    bare = dag("bare", Asset("bare", watchers=[FileDeleteTrigger(filepath="/a")]))
    with pytest.raises(Exception, match="'FileDeleteTrigger' object has no attribute 'name'"):
        DagSerialization.to_dict(bare)


def test_sqs_trigger_watches() -> None:
    trigger = SqsSensorTrigger(sqs_queue="my_queue")
    assert AssetWatcher(name="sqs", trigger=trigger).trigger is trigger
    assert trigger.serialize()[1]["sqs_queue"] == "my_queue"


def test_saved_when_parsed(world: World) -> None:
    world.parse(dag("saved", watched("saved")))
    assert [world.count(table) for table in ("asset", "asset_watcher", "trigger")] == [1, 1, 1]
    world.pause("saved")
    assert world.count("asset_watcher") == 1, "until the file is parsed again"
    world.parse(dag("saved", watched("saved")))
    assert [world.count(table) for table in ("asset", "asset_watcher")] == [1, 0], "a paused Dag has no watcher"


def test_home_of_bulk_write() -> None:
    from airflow.serialization.definitions.dag import SerializedDAG

    file = inspect.getsourcefile(inspect.unwrap(SerializedDAG.bulk_write_to_db))
    assert file.endswith("airflow/serialization/definitions/dag.py")
    assert "add_asset_trigger_references" in inspect.getsource(SerializedDAG.bulk_write_to_db)
    assert "def bulk_write_to_db" not in inspect.getsource(dag_module)


def test_home_of_add_references() -> None:
    file = inspect.getsourcefile(AssetModelOperation.add_asset_trigger_references)
    assert file.endswith("airflow/dag_processing/collection.py")


def test_references_are_synced(world: World) -> None:
    def files() -> set[int]:
        return {link.trigger_id for link in world.rows("asset_watcher")}

    world.parse(dag("synced", watched("synced", "/a")))
    first = files()
    world.parse(dag("synced", watched("synced", "/a", "/b")))
    assert len(files()) == 2, "added"
    assert first < files()
    world.parse(dag("synced", watched("synced", "/a")))
    assert files() == first, "and removed"
    world.parse(dag("other", Asset("synced")), file="other.py")
    assert files() == set(), "by another file, too, that names the asset without its watchers"


def test_type_of_watchers() -> None:
    assert attrs.fields(Asset).watchers.type == "list[AssetWatcher]"


def test_trigger_in_the_asset_table() -> None:
    assert [name for name in Base.metadata.tables["asset"].columns.keys() if "trigger" in name] == []  # noqa: SIM118  a column collection iterates over columns
    assert "trigger_id" in Base.metadata.tables["asset_watcher"].columns


def test_assets_are_never_deleted(world: World) -> None:
    world.parse(dag("kept", watched("kept")))
    world.parse(dag("kept", None))
    SchedulerJobRunner(Job())._update_asset_orphanage()
    assert (world.count("asset"), world.count("asset_active")) == (1, 0), "set aside, and still there"
    assert {"asset_event", "trigger"} <= config_dict.keys()
    assert "asset" not in config_dict, "`airflow db clean` leaves it, too"
