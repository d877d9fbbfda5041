"""Airflow's processes forked from one: nothing that is killed, on whichever side, leaves anything behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from labkit.airflow import nursery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only used on Linux")

STAND_IN = """
import os, signal, sys, time

def main():
    match sys.argv[1:]:
        case ["say", *words]:
            print(*words, os.getcwd(), flush=True)
        case ["exit", code]:
            sys.exit(int(code))
        case ["exit-with-words"]:
            sys.exit("words")
        case ["crash"]:
            raise ValueError("stand-in")
        case ["sleep"]:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
            print("ready", flush=True)
            time.sleep(60)
        case ["fork"]:
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(60)
            print("ready", flush=True)
            time.sleep(60)
"""
"""What stands in for `airflow.__main__`: a command line of a few words."""

SERVE = """
import sys
from labkit.airflow import nursery
nursery.PRELOAD = ("airflow.__main__",)
nursery.PRELOAD_REST = ()
nursery.serve(sys.argv[1])
"""


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


class _Home:
    """A nursery and its keepers."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.socket = folder / "nursery.sock"
        self.started: list[subprocess.Popen[str]] = []
        (folder / "airflow").mkdir()
        (folder / "airflow" / "__init__.py").touch()
        (folder / "airflow" / "__main__.py").write_text(STAND_IN, encoding="utf-8")
        environment = {"PYTHONPATH": f"{folder}:{root / 'labs'}"}
        self.nursery = self._run([sys.executable, "-c", SERVE, str(self.socket)], environment)
        until(self.socket.exists)

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, env=environment, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.started.append(process)
        return process

    def keep(self, *words: str) -> subprocess.Popen[str]:
        """Start a keeper, as supervisord does."""
        pid_file = self.folder / f"{len(self.started)}.pid"
        command = [sys.executable, "-I", "-S", nursery.__file__, str(self.socket), str(pid_file), *words]
        return self._run(command, {})

    def child(self, keeper: subprocess.Popen[str]) -> int:
        """Return the process behind a keeper that says `ready`."""
        assert keeper.stdout
        assert keeper.stdout.readline() == "ready\n"
        pid_file = self.folder / f"{self.started.index(keeper)}.pid"
        until(lambda: nursery.process(pid_file))
        return nursery.process(pid_file) or 0

    def close(self) -> None:
        # Keepers and nursery killed one right after the other: nobody is left to end what they kept.
        with contextlib.suppress(psutil.NoSuchProcess):
            for orphan in psutil.Process(self.nursery.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    orphan.kill()
        for process in reversed(self.started):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.fixture
def home(tmp_path: Path, root: Path) -> Iterator[_Home]:
    """A nursery that is ready."""
    home = _Home(tmp_path, root)
    yield home
    home.close()


def told(keeper: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = keeper.communicate(timeout=10)
    return keeper.returncode, out


def test_a_process_writes_where_its_keeper_writes_and_works_where_it_works(home: _Home) -> None:
    assert told(home.keep("say", "事件", "two words")) == (0, f"事件 two words {home.folder}\n")


@pytest.mark.parametrize("code", ["0", "3"])
def test_the_exit_code_is_the_keepers_too(code: str, home: _Home) -> None:
    assert told(home.keep("exit", code))[0] == int(code)


def test_an_exit_with_words_and_a_crash_are_failures(home: _Home) -> None:
    assert told(home.keep("exit-with-words"))[0] == 1
    code, out = told(home.keep("crash"))
    assert code == 1
    assert "ValueError: stand-in" in out


def test_signals_are_passed_on(home: _Home) -> None:
    keeper = home.keep("sleep")
    home.child(keeper)
    time.sleep(0.3)  # it has written the number down and listens now
    keeper.terminate()
    assert told(keeper)[0] == 7


def test_a_killed_process_ends_its_keeper_as_a_shell_has_it(home: _Home) -> None:
    keeper = home.keep("sleep")
    os.kill(home.child(keeper), signal.SIGKILL)
    assert told(keeper)[0] == 128 + signal.SIGKILL


def test_a_killed_process_leaves_no_children_behind(home: _Home) -> None:
    keeper = home.keep("fork")
    child = home.child(keeper)
    grandchild = psutil.Process(child).children()[0].pid
    os.kill(child, signal.SIGKILL)
    until(lambda: gone(grandchild))


def test_a_killed_keeper_takes_its_process_and_the_children_with_it(home: _Home) -> None:
    keeper = home.keep("fork")
    child = home.child(keeper)
    grandchild = psutil.Process(child).children()[0].pid
    keeper.kill()
    until(lambda: gone(child) and gone(grandchild))
    assert told(home.keep("exit", "0"))[0] == 0, "the nursery goes on"


def test_a_killed_nursery_takes_all_processes_with_it(home: _Home) -> None:
    keepers = [home.keep("fork"), home.keep("sleep")]
    children = [home.child(keeper) for keeper in keepers]
    home.nursery.kill()
    assert [told(keeper)[0] for keeper in keepers] == [1, 1]
    until(lambda: all(gone(child) for child in children))


def test_without_a_nursery_a_keeper_fails(home: _Home) -> None:
    home.nursery.kill()
    home.nursery.wait()
    assert told(home.keep("exit", "0"))[0] != 0


@pytest.mark.parametrize("says", [b"", b"{", json.dumps({"command": ["sleep"], "folder": "/"}).encode()])
def test_a_keeper_that_is_killed_while_it_asks_does_no_harm(says: bytes, home: _Home) -> None:
    bystander = home.keep("sleep")
    child = home.child(bystander)
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(str(home.socket))
            if says:
                with open(os.devnull, "wb") as out:  # noqa: PTH123  only its number is wanted
                    socket.send_fds(asking, [says], [out.fileno(), out.fileno()])
    assert told(home.keep("exit", "0"))[0] == 0
    assert not gone(child)
    until(lambda: len(psutil.Process(home.nursery.pid).children()) == 1)


def test_no_process_id_is_known_before_there_is_a_process(tmp_path: Path) -> None:
    assert nursery.process(tmp_path / "none.pid") is None
    (tmp_path / "half.pid").touch()
    assert nursery.process(tmp_path / "half.pid") is None
