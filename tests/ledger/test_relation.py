"""How assets and triggers know each other."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from airflow.models.asset import AssetModel, AssetWatcherModel
from airflow.models.base import Base
from airflow.models.trigger import Trigger
from sqlalchemy import inspect
from world import dag, watched

if TYPE_CHECKING:
    from world import World


def test_many_to_many(world: World) -> None:
    world.parse(
        dag("two_triggers", watched("two", "/a", "/b")),
        dag("shared", watched("left", "/same") & watched("right", "/same")),
    )
    links = [(link.asset_id, link.trigger_id) for link in world.rows("asset_watcher")]
    names = {asset.id: asset.name for asset in world.rows("asset")}
    by_name = {name: {trigger for asset, trigger in links if names[asset] == name} for name in names.values()}
    assert len(by_name["two"]) == 2, "an asset may have two triggers"
    assert by_name["left"] == by_name["right"], "and a trigger two assets"
    assert world.count("trigger") == 3


def test_association_object() -> None:
    assert inspect(AssetWatcherModel).local_table.name == "asset_watcher"
    assert AssetModel.watchers.property.mapper.class_ is AssetWatcherModel
    assert Trigger.asset_watchers.property.mapper.class_ is AssetWatcherModel
    assert "asset_trigger" not in Base.metadata.tables
    migration = importlib.import_module("airflow.migrations.versions.0088_3_2_0_replace_asset_trigger_table_with_asset")
    assert migration.airflow_version == "3.2.0"


def test_only_keys_and_index() -> None:
    table = Base.metadata.tables["asset_watcher"]
    assert [column.name for column in table.primary_key] == ["asset_id", "trigger_id"]
    assert {key.target_fullname for key in table.foreign_keys} == {"asset.id", "trigger.id"}
    assert [column.name for column in table.columns if not column.foreign_keys] == ["name"], "more than keys now"
