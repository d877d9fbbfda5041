"""An event loop whose clock jumps: nobody waits for `asyncio.sleep(60)`, and real work gets the real time it takes.

The rule, each time the loop has nothing to run and would wait for its next timer:

* *A job runs in a thread* (`run_in_executor`, `asyncio.to_thread`, asgiref's `sync_to_async`, anyio's
  `to_thread.run_sync`): the wait is real. The job's own clock is real, so time must not leave it behind.
* *A socket, a pipe or a child process is open*: someone may be about to answer. A plain sleep is jumped over when
  nothing has come for `SLEEP_SILENCE`; any other timer (a time limit around a request; the bench's own windows)
  only after `GUARD_SILENCE`, so that a slow answer is not made to look like no answer.
* *Neither*: the clock jumps to the timer at once.

The same idea, told in full, is the library looptime's; this one differs in what it does about work under way outside.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import math
import os
import selectors
import sys
import threading
import time
import traceback
from asyncio import futures
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SLEEP_SILENCE = 0.05
"""Seconds without a word on any open socket before a plain sleep is jumped over."""

GUARD_SILENCE = 1.0
"""Seconds without a word on any open socket before any other timer is jumped to."""

# What `asyncio.sleep` has its timer call, since Python 3.4; nothing else in the standard library uses it so.
_SLEEP = futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # noqa: SLF001  no public name

# Idle threads of pools: their jobs are counted as they are handed over.
_POOLED = ("ThreadPoolExecutor", "asyncio_", "AnyIO worker thread", "trigger-bench")


class _Selector(selectors.DefaultSelector):
    """The system's selector, with the loop deciding how long it waits."""

    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self.loop._wait(timeout, super().select)  # noqa: SLF001  two halves of one thing


class JumpingLoop(asyncio.SelectorEventLoop):
    """A selector event loop with a clock that jumps.

    It also notes the longest time for which nothing else could run (`blocked`), less what the garbage collector and
    other processes of the machine took of it. Make it in the thread that will run it.

    Args:
        threshold: Seconds from which on a callback is taken down as blocking.
    """

    def __init__(self, threshold: float = 0.2) -> None:
        self._ahead = 0.0
        self._jobs = 0
        self._last_word = time.monotonic()
        self._alarms: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._threads = set(threading.enumerate())
        self._limiter: Any = None
        self.watch = Watch(threshold)
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._readers_of_our_own = len(selector.get_map())

    def time(self) -> float:
        """Return the loop's time: the real clock and all jumps so far, in seconds."""
        return time.monotonic() + self._ahead

    @property
    def jumped(self) -> float:
        """The seconds that nobody had to wait."""
        return self._ahead

    @property
    def open_files(self) -> int:
        """How many sockets and pipes the loop listens on, its own left out."""
        return len(self._selector.get_map()) - self._readers_of_our_own  # type: ignore[attr-defined]

    def use_anyio(self) -> None:
        """Count anyio's threads too: it has a pool of its own. To be called in a task of this loop."""
        with suppress(ImportError):
            from anyio.to_thread import current_default_thread_limiter  # noqa: PLC0415  only if it is there

            self._limiter = current_default_thread_limiter()

    def call_real(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call `callback` when this much real time has passed; jumps do not bring it nearer."""
        heapq.heappush(self._alarms, (time.monotonic() + seconds, next(self._numbers), callback))

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Hand a job to a thread; until it is done, the clock does not jump."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    def foreign_threads(self) -> list[str]:
        """Return the names of threads that were started meanwhile and are of no pool."""
        now = (thread for thread in threading.enumerate() if thread not in self._threads)
        return sorted(thread.name for thread in now if not thread.name.startswith(_POOLED))

    def _silence(self) -> float:
        """Return the real seconds without a word after which the clock may jump; infinite: not at all."""
        if self._jobs or (self._limiter is not None and self._limiter.borrowed_tokens):
            return math.inf
        if self.open_files <= 0 and not self.foreign_threads():
            return 0.0
        timer = self._scheduled[0]  # type: ignore[attr-defined]
        return SLEEP_SILENCE if timer._callback is _SLEEP else GUARD_SILENCE  # noqa: SLF001  asyncio tells no other way

    def _wait(self, timeout: float | None, select: Callable[..., list[Any]]) -> list[Any]:
        self.watch.rest()
        try:
            ready = select(0)
            if ready:
                self._last_word = time.monotonic()
            if self._ring() or ready or (timeout is not None and timeout <= 0):
                return ready
            end = time.monotonic() + timeout if timeout is not None else math.inf
            while True:
                now = time.monotonic()
                silence = self._silence() if timeout is not None else math.inf
                alarm = self._alarms[0][0] if self._alarms else math.inf
                jump = min(end, self._last_word + silence)
                if now >= jump:
                    self._ahead += max(0.0, end - now)
                    return []
                if now >= alarm:
                    self._ring()
                    return []
                until = min(jump, alarm)
                ready = select(until - now if until < math.inf else None)
                if ready:
                    self._last_word = time.monotonic()
                    return ready
        finally:
            self.watch.work()

    def _ring(self) -> bool:
        """Hand on the callbacks whose real time has come."""
        due = False
        while self._alarms and self._alarms[0][0] <= time.monotonic():
            self.call_soon(heapq.heappop(self._alarms)[2])
            due = True
        return due


class Watch:
    """Notices when the loop cannot run anything else, and where it was stuck.

    A thread of its own looks in while the loop works, so that a call that never comes back is seen too.

    Args:
        threshold: Seconds from which on it is taken down.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.longest = 0.0
        self.place = ""
        self._ident = threading.get_ident()
        self._since: float | None = None
        self._pauses = 0.0
        self._pause_began = 0.0
        self._queued = _Queued()
        self._queued_before = 0.0
        self._seen: tuple[float, str] = (0.0, "")
        self._ended = threading.Event()
        gc.callbacks.append(self._collecting)
        self._thread = threading.Thread(target=self._look, name="trigger-bench watch", daemon=True)
        self._thread.start()

    def work(self) -> None:
        """The loop begins to run callbacks."""
        self._pauses = 0.0
        self._queued_before = self._queued.seconds()
        self._since = time.monotonic()

    def rest(self) -> None:
        """The loop is through with them."""
        since, self._since = self._since, None
        if since is None or (took := time.monotonic() - since) <= self.threshold:
            return
        took -= self._pauses + self._queued.seconds() - self._queued_before
        if took > self.threshold and took > self.longest:
            self.longest = took
            self.place = self._seen[1] if self._seen[0] == since else ""

    def stuck(self) -> float:
        """Return for how many seconds the loop has been at its present callbacks."""
        since = self._since
        return time.monotonic() - since if since is not None else 0.0

    def give_up(self) -> None:
        """Take down the callback that is still running: it will not come back."""
        self.longest = max(self.longest, self.stuck())
        self.place = self._seen[1]

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        with suppress(ValueError):
            gc.callbacks.remove(self._collecting)
        self._queued.close()

    def _collecting(self, phase: str, _: object) -> None:
        if threading.get_ident() != self._ident:
            return
        if phase == "start":
            self._pause_began = time.monotonic()
        else:
            self._pauses += time.monotonic() - self._pause_began

    def _look(self) -> None:
        while not self._ended.wait(self.threshold / 4):
            since = self._since
            if since is None or since == self._seen[0] or time.monotonic() - since < self.threshold * 0.75:
                continue
            frame = sys._current_frames().get(self._ident)  # noqa: SLF001  documented; the only way to see it
            if frame is not None and self._since == since:
                self._seen = (since, _place(frame))


class _Queued:
    """How long the calling thread was ready and other processes had the processor; 0 where the system does not tell."""

    def __init__(self) -> None:
        self._file = -1
        with suppress(OSError):
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def seconds(self) -> float:
        """Return the seconds so far."""
        try:
            return int(os.pread(self._file, 100, 0).split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def close(self) -> None:
        """Give the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _place(frame: FrameType) -> str:
    """Return where a stack stands: the last line outside asyncio and this folder, and what it called last."""
    here = os.path.dirname(__file__)  # noqa: PTH120  no need for a Path
    skipped = (here, os.path.dirname(asyncio.__file__))  # noqa: PTH120
    stack = traceback.extract_stack(frame)
    first = 0
    for number, line in enumerate(stack):
        if line.filename.startswith(skipped):
            first = number + 1
    inner = stack[first:] or stack[-1:]
    place = f"{os.path.basename(inner[0].filename)}:{inner[0].lineno}"  # noqa: PTH119
    if inner[0].line:
        place += f" `{inner[0].line}`"
    if len(inner) > 1:
        place += f" → {os.path.basename(inner[-1].filename)}:{inner[-1].lineno} in {inner[-1].name}"  # noqa: PTH119
    return place
