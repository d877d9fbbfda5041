"""`AssetWatcher`, and what a Dag does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from airflow.providers.standard.triggers.file import FileDeleteTrigger, FileTrigger
from airflow.sdk import DAG, Asset, AssetAll, AssetWatcher
from airflow.triggers.base import BaseTrigger
from world import dag

if TYPE_CHECKING:
    from world import World


def orders(watcher: str) -> Asset:
    return Asset("named", watchers=[AssetWatcher(name=watcher, trigger=FileDeleteTrigger(filepath="/a"))])


def test_asset_watcher_joins() -> None:
    assert [field.name for field in attrs.fields(AssetWatcher)] == ["name", "trigger"]


def test_inherits_base_trigger() -> None:
    assert AssetWatcher.__mro__ == (AssetWatcher, object)
    assert not issubclass(AssetWatcher, BaseTrigger)
    assert not hasattr(AssetWatcher, "run")


def test_watcher_has_a_name(world: World) -> None:
    world.parse(dag("named", orders("my_file_watcher")))
    assert [link.name for link in world.rows("asset_watcher")] == ["my_file_watcher"]
    world.parse(dag("named", orders("renamed")))
    assert [link.name for link in world.rows("asset_watcher")] == ["my_file_watcher"], "the sync looks at triggers only"


def test_file_trigger_example() -> None:
    with pytest.raises(ValueError, match="Asset watcher trigger must inherit BaseEventTrigger"):
        AssetWatcher(name="my_file_watcher", trigger=FileTrigger(filepath="/a"))
    assert AssetWatcher(name="my_file_watcher", trigger=FileDeleteTrigger(filepath="/a"))


def test_schedule_takes_an_asset() -> None:
    one, other = Asset("one"), Asset("other")
    assert DAG("plain", schedule=one).timetable.asset_condition == one
    both = DAG("list", schedule=[one, other]).timetable.asset_condition
    assert isinstance(both, AssetAll)
    assert tuple(both.objects) == (one, other)
