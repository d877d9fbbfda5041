"""Triggers that nobody runs: each counts once, however many watchers have it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from labkit.airflow.metadata import Metadata
from labkit.commands import status
from labkit.notebook import Notebook
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path

AGE = dt.timedelta(seconds=60)


def row(trigger: int, name: str, *, watcher: bool = True) -> dict[str, Any]:
    return {"trigger": trigger, "name": name, "watcher": watcher, "age": AGE}


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Metadata:
    """A database with three triggers: two assets share one, and one asset has two watchers that are equal."""
    found = Metadata(State(id="x", run=str(tmp_path), ports={"postgres": 1}))
    joined = [row(7, "orders"), row(7, "tips"), row(8, "menu"), row(8, "menu"), row(9, "steep.wait", watcher=False)]
    monkeypatch.setattr(found, "triggerers", list)
    monkeypatch.setattr(found, "rows", lambda *_: joined)
    return found


def test_a_trigger_of_two_watchers_waits_once_and_is_all_of_theirs(metadata: Metadata) -> None:
    waiting = metadata.waiting()
    assert [(one.trigger, one.names) for one in waiting] == [
        (7, ("orders", "tips")),
        (8, ("menu",)),
        (9, ("steep.wait",)),
    ]
    assert [one.watcher for one in waiting] == [True, True, False]
    assert {one.age for one in waiting} == {AGE}


def test_a_notebook_has_a_row_for_each_trigger(metadata: Metadata) -> None:
    lab = Notebook("07")
    lab.__dict__["_metadata"] = metadata
    assert list(lab.waiting().of) == ["orders, tips", "menu", "steep.wait"]


def test_status_names_what_waits_each_once(metadata: Metadata, capsys: pytest.CaptureFixture[str]) -> None:
    status._triggers(0, metadata.waiting())
    assert "No triggerer runs: orders, tips, menu, steep.wait" in capsys.readouterr().out
