"""Whose process is it: ours are found and ended, a stranger's is never touched."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from labkit.stack import owned
from labkit.stack.local import LocalStack
from labkit.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Spawn = Callable[..., subprocess.Popen[bytes]]

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
FORKING = """
import os, time
print(flush=True)
for _ in range(300):
    if os.fork() == 0:
        time.sleep(20)  # born after whoever looks once has looked
        os._exit(0)  # or it would go on forking itself, on a machine so busy that nobody has ended it by then
    time.sleep(0.001)
time.sleep(20)
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A stack with an id that no process has, and a folder."""
    identity = secrets.token_hex(4)
    run = tmp_path / f"lab-{os.getuid()}-{identity}"
    run.mkdir()
    return State(id=identity, run=str(run))


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start processes; whatever a test leaves is ended after it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command or ("sleep", "60"),
            cwd=cwd,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
        )
        started.append(process)
        if command and process.stdout:
            process.stdout.readline()  # it is up
        with contextlib.suppress(psutil.NoSuchProcess):
            while not psutil.Process(process.pid).environ():  # it has got what it was given
                time.sleep(0.001)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def found(state: State) -> set[int]:
    return {process.pid for process in owned.processes(state)}


def test_a_process_with_the_mark_is_found_and_ended(state: State, spawn: Spawn) -> None:
    process = spawn(LAB_STACK_ID=state.id)
    assert found(state) == {process.pid}
    owned.end_all(state)
    assert process.wait(timeout=5) == -signal.SIGKILL
    assert found(state) == set()


def test_the_process_of_a_recorded_pid_is_found_where_it_is_ours(state: State, spawn: Spawn) -> None:
    process = spawn(LAB_STACK_ID=state.id)
    ours = owned.find(state, process.pid)
    assert ours
    assert ours.pid == process.pid
    owned.kill([ours])
    assert owned.find(state, process.pid) is None
    assert owned.find(state, None) is None


def test_waiting_for_the_end_of_a_zombie_takes_no_time(state: State, spawn: Spawn) -> None:
    process = spawn(LAB_STACK_ID=state.id)
    ours = owned.find(state, process.pid)
    assert ours
    process.kill()
    began = time.monotonic()
    owned.await_end([ours], timeout=5)
    assert time.monotonic() - began < 2


def test_a_process_that_ignores_sigterm_is_killed(state: State, spawn: Spawn) -> None:
    process = spawn(sys.executable, "-c", STUBBORN, LAB_STACK_ID=state.id)
    owned.end_all(state)
    assert process.wait(timeout=5) == -signal.SIGKILL


def test_processes_that_are_born_while_their_parents_end_do_not_escape(state: State, spawn: Spawn) -> None:
    for _ in range(3):
        spawn(sys.executable, "-c", FORKING, LAB_STACK_ID=state.id)
    owned.end_all(state)
    time.sleep(0.1)
    assert found(state) == set()


def test_a_stopped_process_is_ended_too(state: State, spawn: Spawn) -> None:
    process = spawn(LAB_STACK_ID=state.id)
    process.send_signal(signal.SIGSTOP)
    owned.end_all(state)
    assert process.wait(timeout=5) == -signal.SIGKILL


def test_another_stacks_process_is_left_alone(state: State, spawn: Spawn) -> None:
    stranger = spawn(LAB_STACK_ID=state.id[:-1] + "x")
    owned.end_all(state)
    assert stranger.poll() is None


def test_a_stranger_with_the_pid_that_a_file_of_ours_records_is_left_alone(
    checkout: Path, state: State, spawn: Spawn
) -> None:
    stranger = spawn()
    (state.folder / "supervisord.pid").write_text(f"{stranger.pid}\n", encoding="utf-8")
    (state.folder / "postgres").mkdir()
    (state.folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n", encoding="utf-8")
    assert owned.find(state, stranger.pid) is None
    LocalStack(state).stop()
    assert stranger.poll() is None


def test_a_shell_that_stands_in_our_folder_is_left_alone(state: State, spawn: Spawn) -> None:
    (state.folder / "log").mkdir()
    shell = spawn("sh", "-c", "echo; sleep 60; true", cwd=state.folder / "log")
    owned.end_all(state)
    assert shell.poll() is None
    for child in psutil.Process(shell.pid).children():
        child.kill()


def test_the_environment_of_a_stranger_may_name_our_id_elsewhere(state: State, spawn: Spawn) -> None:
    stranger = spawn(OTHER=state.id, LAB_STACK_ID_OLD=state.id)
    owned.end_all(state)
    assert stranger.poll() is None


@pytest.fixture
def postgres(tmp_path: Path) -> str:
    """A program that is called like the server and, like it, has no mark."""
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    program.symlink_to("/bin/sleep")
    return str(program)


def test_a_postgres_in_our_folder_is_ours_without_the_mark(state: State, spawn: Spawn, postgres: str) -> None:
    (state.folder / "postgres").mkdir()
    process = subprocess.Popen([postgres, "60"], cwd=state.folder / "postgres", env={})
    try:
        deadline = time.monotonic() + 5
        while not found(state) and time.monotonic() < deadline:
            time.sleep(0.01)
        owned.end_all(state)
        assert process.wait(timeout=5) == -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def test_a_postgres_in_a_folder_whose_name_only_begins_like_ours_is_not_ours(state: State, postgres: str) -> None:
    neighbour = state.folder.with_name(state.folder.name + "0")
    neighbour.mkdir()
    process = subprocess.Popen([postgres, "60"], cwd=neighbour, env={})
    try:
        time.sleep(0.1)  # it has become what it will be
        owned.end_all(state)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_the_process_that_ends_the_others_spares_itself_and_its_parents(root: Path, state: State) -> None:
    code = f"""
from labkit.stack import owned
from labkit.stack.state import State
owned.end_all(State(id={state.id!r}, run={state.run!r}))
print("alive")
"""
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"LAB_STACK_ID": state.id, "PYTHONPATH": str(root / "labs")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "alive"
