"""A start that does not come to its end, for whatever reason: nothing stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from driver import end_group, until

from labkit import paths
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from driver import Checkout


def begun(checkout: Checkout) -> bool:
    """Tell whether a start has written down what it is about to make."""
    return checkout.state is not None


def kept(checkout: Checkout) -> bool:
    """Tell whether supervisord is up."""
    return begun(checkout) and (checkout.stack.state.folder / "supervisor.sock").exists()


def stored(checkout: Checkout) -> bool:
    """Tell whether PostgreSQL is up."""
    return begun(checkout) and (checkout.stack.state.folder / "postgres" / "postmaster.pid").exists()


def working(checkout: Checkout) -> bool:
    """Tell whether Airflow is at work: one of its processes has registered."""
    if not stored(checkout):
        return False
    with contextlib.suppress(LabError, Exception), checkout.stack.metadata() as metadata:
        return bool(metadata.heartbeats())
    return False


POINTS = [begun, kept, stored, working]
ANYWHERE = pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)


def frozen_at(point: Callable[[Checkout], bool], checkout: Checkout) -> subprocess.Popen[str]:
    """Begin a start and hold it at a point, so that what follows does not race with it."""
    process = checkout.begin("start", "--no-site")
    until(lambda: point(checkout), "that point", 120, 0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    checkout.remember()
    assert process.poll() is None, "the start was over before it could be held"
    return process


@ANYWHERE
def test_ctrl_c_during_a_start_leaves_nothing(point: Callable[[Checkout], bool], stopped: Checkout) -> None:
    process = frozen_at(point, stopped)
    os.killpg(process.pid, signal.SIGINT)  # delivered when it goes on
    assert end_group(process, signal.SIGCONT) == 130
    stopped.check_gone()


def test_ctrl_c_at_once_leaves_nothing(stopped: Checkout) -> None:
    process = stopped.begin("start", "--no-site")
    time.sleep(0.5)
    stopped.remember()
    assert end_group(process, signal.SIGINT) == 130
    stopped.check_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_closed_terminal_during_a_start_leaves_nothing(number: signal.Signals, stopped: Checkout) -> None:
    process = stopped.begin("start", "--no-site")
    until(lambda: kept(stopped), "that point", 120, 0.01)
    stopped.remember()
    assert end_group(process, number) == 130
    stopped.check_gone()


def test_a_second_ctrl_c_of_the_impatient_leaves_nothing_that_stop_cannot_clear(stopped: Checkout) -> None:
    process = stopped.begin("start", "--no-site")
    until(lambda: stored(stopped), "that point", 120, 0.01)
    stopped.remember()
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.15)
    # A shell shows both as 130: an exit of our own, and Python's when it was interrupted on its way out.
    assert process.wait(timeout=60) in {130, -signal.SIGINT}
    stopped.lab("stop")
    stopped.check_gone()


@ANYWHERE
def test_after_a_killed_start_stop_leaves_nothing(point: Callable[[Checkout], bool], stopped: Checkout) -> None:
    process = stopped.begin("start", "--no-site")
    until(lambda: point(stopped), "that point", 120, 0.01)
    process.kill()
    process.wait()
    stopped.stop()


def test_after_a_killed_start_the_next_one_clears_up_and_succeeds(stopped: Checkout) -> None:
    process = stopped.begin("start", "--no-site")
    until(lambda: stored(stopped), "that point", 120, 0.01)
    process.kill()
    process.wait()
    assert "Removed what an earlier start left behind" in stopped.lab("start", "--no-site").stdout
    assert len(list(stopped.tmp.iterdir())) == 1


@pytest.fixture
def new_cache(stopped: Checkout) -> Iterator[Path]:
    """A cache in which Kafka's jars are, and nothing else: the first start on this machine."""
    cache = stopped.base / "cache"
    shutil.copytree(paths.cache() / "maven", cache / "maven")
    yield cache
    shutil.rmtree(cache)


def learning(checkout: Checkout) -> bool:
    """Tell whether the broker runs from which Java learns to start it quickly."""
    for process in checkout.processes():
        with contextlib.suppress(psutil.Error):
            if "kafka.Kafka" in process.cmdline():
                return True
    return False


def test_a_start_that_is_killed_while_kafka_is_prepared_for_the_first_time_leaves_nothing(
    stopped: Checkout, new_cache: Path
) -> None:
    process = stopped.begin("start", "--no-site", LAB_CACHE=str(new_cache))
    until(lambda: learning(stopped), "Java to learn", 60, 0.01)
    process.kill()
    process.wait()
    stopped.stop()


def test_ctrl_c_while_kafka_is_prepared_for_the_first_time_leaves_nothing(stopped: Checkout, new_cache: Path) -> None:
    process = stopped.begin("start", "--no-site", LAB_CACHE=str(new_cache))
    until(lambda: learning(stopped), "Java to learn", 60, 0.01)
    assert end_group(process, signal.SIGINT) == 130
    stopped.check_gone()
    assert not list(new_cache.glob("kafka-*")), "half of what Java learnt"


def small_disk(checkout: Checkout, megabytes: int) -> Iterator[Path]:
    """Mount a disk of that size; root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = checkout.base / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "lab-test", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"this system mounts no small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


@pytest.fixture
def tiny(stopped: Checkout) -> Iterator[Path]:
    """A disk that is too small from the beginning."""
    yield from small_disk(stopped, 20)


@pytest.fixture
def filling(stopped: Checkout) -> Iterator[Path]:
    """A disk that looks large enough."""
    yield from small_disk(stopped, 400)


@pytest.mark.parametrize(("language", "said"), [("en", "Free"), ("zh-TW", "磁碟")])
def test_a_full_disk_is_told_before_anything_is_started(
    language: str, said: str, stopped: Checkout, tiny: Path
) -> None:
    told = stopped.lab("start", "--no-site", "--lang", language, code=1, TMPDIR=str(tiny))
    assert said in told.stderr
    assert "TMPDIR" in told.stderr
    assert list(tiny.iterdir()) == []
    stopped.check_gone()


def test_a_disk_that_fills_up_during_a_start_is_told_and_nothing_stays(stopped: Checkout, filling: Path) -> None:
    filler = filling / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)

    process = subprocess.Popen(
        ["./lab", "start", "--no-site"],
        cwd=stopped.root,
        env={**stopped.environment, "TMPDIR": str(filling)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    until(lambda: begun(stopped), "the start to begin", 60, 0.01)
    until(lambda: process.poll() is not None or stopped.stack.state.folder.exists(), "its folder", 60, 0.01)
    fill()
    out, err = process.communicate(timeout=180)
    assert process.returncode == 1, out + err
    assert "disk is full" in err or "No space left on device" in err
    assert "Traceback" not in err.rpartition("Error: ")[2]
    assert [file.name for file in filling.iterdir()] == ["filler"]
    stopped.check_gone()
