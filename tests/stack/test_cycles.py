"""Start and stop again and again, with a kill at a random point in between: nothing stays, ever."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from driver import Checkout

CYCLES = int(os.environ.get("LAB_CYCLES", "3"))
SEED = int(os.environ.get("LAB_SEED", "20261123"))
LONGEST = 14.0
"""Seconds; some of the kills then hit a stack that has started."""


@pytest.mark.parametrize("cycle", range(CYCLES))
def test_whatever_is_killed_whenever_stop_leaves_nothing(cycle: int, stopped: Checkout) -> None:
    # Each cycle has its own numbers, so that one that failed can be run alone.
    chance = random.Random(f"{SEED}/{cycle}")  # noqa: S311  to be repeated
    pause = chance.uniform(0.2, LONGEST)
    victim = chance.choice(["cli", "terminal", "supervisord", "anything", "everything"])
    print(f"cycle {cycle}: after {pause:.1f} s, {victim}")
    process = stopped.begin("start", "--no-site")
    time.sleep(pause)
    stopped.remember()
    ours = [one for one in stopped.processes() if one.pid != process.pid]
    match victim:
        case "cli":
            process.kill()
        case "terminal":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        case "supervisord":
            kill([one for one in ours if "supervisor.supervisord" in " ".join(words(one))])
        case "anything":
            kill(chance.sample(ours, 1) if ours else [])
        case _:
            kill(ours)
    if victim != "cli":
        # What follows is the start's own affair; a minute and a half is more than it ever takes to give up or end.
        with contextlib.suppress(Exception):
            process.wait(timeout=90)
    process.kill()
    process.wait()
    stopped.stop()


def words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def kill(doomed: list[psutil.Process]) -> None:
    for process in doomed:
        with contextlib.suppress(psutil.Error):
            process.kill()
