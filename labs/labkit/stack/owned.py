"""Which processes are the stack's, told without trusting pids, and how they are ended.

A recorded pid may belong to a stranger by now. Ours are recognised by what a stranger cannot have: the stack's
random id in the environment. PostgreSQL and Redis overwrite their environment with their process title, so their
processes are known by their working folder, which is the stack's. (A working folder alone proves nothing: a
learner's shell may stand there.)
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.stack.state import State

MARK = "LAB_STACK_ID"
"""The environment variable that every process of a stack inherits."""

UNMARKED = frozenset({"postgres", "redis-server", "valkey-server"})
"""Programs that lose the mark."""


def _is_ours(process: psutil.Process, state: State) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        if process.environ().get(MARK) == state.id:
            return True
    with contextlib.suppress(psutil.Error, OSError):
        return process.name() in UNMARKED and process.cwd().startswith(f"{state.run}/")
    return False


def processes(state: State) -> Iterator[psutil.Process]:
    """Yield every living process of the stack, except this one and those it descends from."""
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in spared and process.status() != psutil.STATUS_ZOMBIE and _is_ours(process, state):
                yield process


def find(state: State, pid: int | None) -> psutil.Process | None:
    """Return the process of a recorded pid if it is the stack's, None where it is a stranger's or nobody's."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid) if pid else None
        if process and _is_ours(process, state):
            return process
    return None


def kill(doomed: list[psutil.Process]) -> None:
    """Kill processes and wait until they are gone."""
    for process in doomed:
        with contextlib.suppress(psutil.Error):
            process.kill()
    await_end(doomed, timeout=5)


def await_end(ending: list[psutil.Process], *, timeout: float) -> None:
    """Wait until processes are gone, `timeout` seconds at most.

    A zombie is gone: in a container whose first process reaps nobody, it would stay for ever.
    """

    def left() -> bool:
        for process in ending:
            with contextlib.suppress(psutil.Error):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    return True
        return False

    with contextlib.suppress(TimeoutError):
        until(lambda: not left(), seconds=timeout, pause=0.02)


def end_all(state: State) -> None:
    """Kill every process of the stack; looks again until none is found, for some fork while they are killed."""
    for _ in range(50):
        ours = list(processes(state))
        # Airflow's workers hide their environment from everyone but root; they are known by their parents.
        for process in list(ours):
            with contextlib.suppress(psutil.Error):
                ours += process.children(recursive=True)
        if not ours:
            return
        kill(ours)


def memory(pid: int, *, alone: bool = False) -> int:
    """Return the memory of a process and its children in bytes, shared pages counted in proportion where possible.

    Args:
        pid: The process.
        alone: Leave its children out.
    """
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *([] if alone else process.children(recursive=True))):
            with contextlib.suppress(psutil.Error):
                full = one.memory_full_info()
                total += getattr(full, "pss", 0) or full.rss
    return total
