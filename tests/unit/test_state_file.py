"""The state file: written whole or not at all, and never trusted further than it deserves."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from labkit.errors import FAILED, LabError
from labkit.stack import state as states
from labkit.stack.local import LocalStack
from labkit.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome


@pytest.fixture
def state(checkout: Path) -> State:
    """A record of a stack that never ran."""
    run = checkout / f"lab-{os.getuid()}-0badcafe"
    return State(id="0badcafe", run=str(run), ports={"api-server": 1, "site": 2, "kafka": 3}, labs=["03-x"])


def test_what_was_saved_is_loaded(state: State) -> None:
    assert states.load() is None
    states.save(state)
    assert states.load() == state
    assert (state.ui_url, state.site_url, state.bootstrap) == (
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        "127.0.0.1:3",
    )


def test_the_file_holds_no_secret_and_only_its_owner_reads_it(state: State) -> None:
    states.save(state)
    assert states.path().stat().st_mode & 0o077 == 0
    assert not {"password", "secret", "key", "token"} & {word.lower() for word in json.loads(states.path().read_text())}


def test_a_failing_write_leaves_the_old_file_and_no_draft(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    states.save(state)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space"):
        states.save(State(id="other", run="/nowhere"))
    assert states.load() == state
    assert [file.name for file in states.path().parent.iterdir()] == ["state.json"]


def test_a_stack_beside_has_a_record_of_its_own(state: State) -> None:
    states.save(state)
    side = State(id="0badbeef", run=f"{state.run[:-8]}0badbeef", record=states.SIDE)
    states.save(side)
    assert (states.load(), states.load(states.SIDE)) == (state, side)
    states.forget(states.SIDE)
    assert (states.load(), states.load(states.SIDE)) == (state, None)


def test_forget_removes_the_file_and_the_drafts_of_killed_processes(state: State) -> None:
    states.save(state)
    (states.path().parent / "state-x81k2").write_text("{", encoding="utf-8")
    states.forget()
    states.forget()
    assert list(states.path().parent.iterdir()) == []


BROKEN = ["", "{", "[]", "3", '"x"', "{}", '{"id": "a", "run": "/x", "unknown": 1}', '{"id": 1, "run": null}', "\x00"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_told_with_its_path_and_the_remedy(text: str, checkout: Path) -> None:
    states.path().parent.mkdir()
    states.path().write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match="delete it") as refused:
        states.load()
    assert refused.value.exit_code == FAILED
    assert str(states.path()) in str(refused.value)


def test_a_broken_file_stops_stop_without_a_traceback(checkout: Path, lab: Callable[..., Outcome]) -> None:
    states.path().parent.mkdir()
    states.path().write_text("{", encoding="utf-8")
    outcome = lab("stop")
    assert outcome.code == FAILED
    assert "state.json" in outcome.err
    assert "Traceback" not in outcome.err


def test_stop_clears_away_the_record_of_a_stack_that_is_gone(state: State, lab: Callable[..., Outcome]) -> None:
    states.save(state)
    assert lab("status").code == FAILED
    assert lab("stop").code == 0
    assert states.load() is None


def test_stopping_a_stack_removes_its_folder(state: State) -> None:
    (state.folder / "log").mkdir(parents=True)
    (state.folder / "log" / "kafka.log").write_text("x", encoding="utf-8")
    states.save(state)
    LocalStack(state).stop()
    LocalStack(state).stop()
    assert not state.folder.exists()


@pytest.mark.parametrize("foreign", ["", "precious", "lab-0-other", "lab-0-0badcafe/.."])
def test_a_record_that_names_a_strangers_folder_removes_nothing(
    foreign: str, checkout: Path, lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkout / foreign
    (checkout / "lab-0-0badcafe").mkdir()
    folder.mkdir(exist_ok=True)
    (folder / "thesis.txt").write_text("years of work", encoding="utf-8")
    monkeypatch.chdir(checkout)
    states.save(State(id="0badcafe", run=str(folder) if foreign else "."))
    lab("stop")
    assert (folder / "thesis.txt").exists()
