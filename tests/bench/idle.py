"""What a stack takes when nothing happens."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psutil

from labkit import config
from tests.bench.figures import Figure
from tests.bench.stacks import running

if TYPE_CHECKING:
    from collections.abc import Iterator


def idle(seconds: int = 60) -> Iterator[Figure]:
    """Measure what the stack takes when nothing happens, as `./lab start` leaves it."""
    with running([config.main(config.labs())]) as stack:
        time.sleep(20)
        before = {process.pid: _cpu(process) for process in stack.everything()}
        began = time.monotonic()
        time.sleep(seconds)
        used = sum(_cpu(process) - before.get(process.pid, 0) for process in stack.everything())
        share = used / (time.monotonic() - began)
        held = sum(_pss(process) for process in stack.everything())
    yield Figure("idle, CPU of one core", share * 100, "%", 15)
    yield Figure("idle, memory (PSS)", held / 1e9, "GB", 1.6)


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        # Children that ended meanwhile are in their parents' sums.
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0


def _pss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    return 0
