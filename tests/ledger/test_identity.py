"""What makes two triggers the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from airflow.models.base import Base
from airflow.models.trigger import Trigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import BaseEventTrigger, BaseTrigger
from world import dag, watched

if TYPE_CHECKING:
    import pytest
    from world import World

PATH = "airflow.providers.standard.triggers.file.FileDeleteTrigger"


def formula(kwargs: dict[str, Any]) -> int:
    """Hash as the seed wrote it down."""
    return hash((PATH, json.dumps(BaseSerialization.serialize(kwargs)).encode("utf-8")))


def test_hash_replaced_repr(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> str:
        raise AssertionError

    monkeypatch.setattr(BaseTrigger, "repr", never)
    monkeypatch.setattr(BaseTrigger, "__repr__", never)
    world.parse(dag("hashed", watched("hashed")))
    assert world.count("trigger") == 1, "parsed without asking for a repr"
    assert BaseEventTrigger.hash(PATH, {"filepath": "/a"}) == BaseEventTrigger.hash(PATH, {"filepath": "/a"})
    assert BaseEventTrigger.hash(PATH, {"filepath": "/a"}) != BaseEventTrigger.hash(PATH, {"filepath": "/b"})


def test_class_and_arguments(world: World) -> None:
    path, kwargs = FileDeleteTrigger(filepath="/a").serialize()
    assert (path, kwargs["filepath"]) == (PATH, "/a")
    world.parse(dag("a", watched("a")))
    (row,) = world.rows("trigger")
    assert row.classpath == PATH
    assert "filepath" not in row.kwargs, "only ciphertext"
    assert Trigger.encrypt_kwargs(kwargs) != Trigger.encrypt_kwargs(kwargs), "another one each time"


def test_hash_formula() -> None:
    simple: dict[str, Any] = {"filepath": "/a", "poke_interval": 5.0}
    nested: dict[str, Any] = {"options": {"deep": 1}}
    assert BaseEventTrigger.hash(PATH, simple) == formula(simple), "as ever for plain values"
    assert BaseEventTrigger.hash(PATH, nested) != formula(nested), "the values are serialized once before"


def test_hash_tells_triggers_apart() -> None:
    code = f"from airflow.triggers.base import BaseEventTrigger as T; print(T.hash({PATH!r}, {{'filepath': '/a'}}))"
    salt = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": salt},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(told.stdout.split()[-1]) != BaseEventTrigger.hash(PATH, {"filepath": "/a"}), (
        "another process, another hash"
    )
    for table in ("trigger", "asset_watcher"):
        assert not [column for column in Base.metadata.tables[table].columns if "hash" in column.name]
