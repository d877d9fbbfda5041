"""Lab 04's triggers on the bench: those that stop, those that do not, the exercise as it comes and as it is solved."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from airflow.jobs.triggerer_job_runner import TriggerEventEntry, messages
from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger
from airflow.sdk import AssetWatcher
from airflow.sdk.execution_time.comms import _new_encoder
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from labkit import paths
from labkit.bench import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

LAB = paths.LABS / "04-base-event-trigger"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], ModuleType]]:
    """Import a module from one of the lab's folders, and forget it afterwards."""
    before = set(sys.modules)

    def load(folder: str, name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(LAB / folder))
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"tea_triggers", "delivery_notes"}:
            del sys.modules[name]


def dropping(folder: Path, suffix: str = ".txt") -> Callable[[int], None]:
    """Return what makes the n-th file."""

    def drop(number: int) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{number}{suffix}").touch()

    return drop


def test_the_exercise_as_it_comes_is_wrong_in_four_ways(load: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    trigger = load("exercise", "delivery_notes").DeliveryTrigger
    report = examine(lambda: trigger(str(tmp_path)), cause=dropping(tmp_path), restarts=1, real_patience=5)
    assert {one.check for one in report.failed} == {"payload-json", "loop-free", "unchanged-world"}
    assert report.kind == "yield-and-return"


def test_the_solution_passes(load: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    trigger = load("solution", "delivery_notes").DeliveryTrigger
    report = examine(lambda: trigger(str(tmp_path)), cause=dropping(tmp_path), events=2, restarts=1, real_patience=6)
    assert report.passed, str(report)
    assert report.kind == "long-running"
    assert [event["files"] for event in report.events] == [["0.txt"], ["1.txt"]]


@pytest.mark.parametrize("share", [False, True])
def test_a_card_trigger_passes_alone_and_sharing(
    share: bool,  # noqa: FBT001  a parameter
    load: Callable[[str, str], ModuleType],
    tmp_path: Path,
) -> None:
    trigger = load("modules", "tea_triggers.cards").CardTrigger
    folder = tmp_path / "cards"
    report = examine(
        lambda: trigger(str(folder), ".hot", share=share), cause=dropping(folder, ".hot"), restarts=1, real_patience=5
    )
    assert report.passed, str(report)
    assert report.events == ({"files": ["0.hot"]},)


def test_card_triggers_of_one_folder_share_whatever_their_suffix(load: Callable[[str, str], ModuleType]) -> None:
    trigger = load("modules", "tea_triggers.cards").CardTrigger
    hot, cold, elsewhere = (trigger(folder, suffix, share=True) for folder, suffix in ("ah", "ac", "bh"))
    assert hot.shared_stream_key() == cold.shared_stream_key() != elsewhere.shared_stream_key()
    assert trigger("a", "h", share=False).shared_stream_key() is None


def test_every_trigger_of_the_lab_comes_back_from_the_database_as_it_was(
    load: Callable[[str, str], ModuleType],
) -> None:
    cadence, s3, database, cards = (
        load("modules", f"tea_triggers.{name}") for name in ("cadence", "s3", "database", "cards")
    )
    for trigger in (
        cadence.TickTrigger(0.5, stay=True),
        s3.NewObjectTrigger(bucket="menus"),
        database.ListenTrigger(channel="stock"),
        database.OutboxTrigger(),
        cards.CardTrigger("a", ".hot", share=True),
    ):
        classpath, kwargs = trigger.serialize()
        assert json.loads(json.dumps(kwargs)) == kwargs
        module, _, name = classpath.rpartition(".")
        assert getattr(sys.modules[module], name)(**kwargs).serialize() == (classpath, kwargs)
        encoded = encode_trigger(trigger)
        assert BaseEventTrigger.hash(**encoded) == BaseEventTrigger.hash(classpath, kwargs)


def test_the_check_looks_at_the_mark_and_at_nothing_else(load: Callable[[str, str], ModuleType]) -> None:
    place: dict[str, Any] = {"bucket_name": "menus", "bucket_key": "spring.json"}
    with pytest.raises(ValueError, match="Asset watcher trigger must inherit BaseEventTrigger"):
        AssetWatcher(name="plain", trigger=S3KeyTrigger(**place))
    marked = load("modules", "tea_triggers.cadence").MarkedS3Key(**place)
    AssetWatcher(name="marked", trigger=marked)
    assert marked.serialize()[0] == "tea_triggers.cadence.MarkedS3Key"


def test_who_inherits_serialize_from_s3_key_trigger_is_run_as_that() -> None:
    class Mine(S3KeyTrigger, BaseEventTrigger):
        pass

    classpath, _ = Mine(bucket_name="menus", bucket_key="spring.json").serialize()
    assert classpath == "airflow.providers.amazon.aws.triggers.s3.S3KeyTrigger"


@pytest.mark.parametrize(
    ("value", "arrives_as", "is_json"),
    [
        (dt.datetime(2026, 11, 25, tzinfo=dt.UTC), dt.datetime, False),
        (b"tea", bytes, False),
        (dt.datetime(2026, 11, 25), str, True),  # noqa: DTZ001  that is the point
        (Path("/tea"), str, True),
        ({"tea"}, list, True),
    ],
    ids=["datetime with a zone", "bytes", "datetime without a zone", "path", "set"],
)
def test_what_becomes_of_a_payload_between_the_triggerers_two_processes(
    value: object,
    arrives_as: type,
    is_json: bool,  # noqa: FBT001  a parameter
) -> None:
    event = TriggerEventEntry(trigger_id=1, event=TriggerEvent({"value": value}), persist_seq=None)
    sent = _new_encoder().encode(messages.TriggerStateChanges(events=[event]))
    got = messages.TriggerStateChanges.model_validate(msgspec.msgpack.decode(sent)).events[0].event.payload["value"]
    assert type(got) is arrives_as
    with contextlib.nullcontext() if is_json else pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(got)
