"""The examination: a trigger is stored, run, caused to fire, left alone, started again and cancelled."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import json
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import triggerer
from .clock import JumpingLoop
from .report import CHECKS, Finding, Report
from .store import StateStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 120.0
"""Seconds on the bench's clock: twice the longest poll interval that Airflow's own triggers have by default."""

REAL_PATIENCE = 10.0
"""Real seconds that one event may take, where threads or sockets are at work."""

HANG = 5.0
"""Real seconds after which a call that holds the loop is taken to be one that does not come back."""

ENOUGH = 3
"""Events without a cause after which a quiet spell need not be watched any longer."""


def examine(  # noqa: PLR0913  keywords, each with a default
    make: Any,
    *,
    cause: Callable[[int], Awaitable[object] | object] | None = None,
    events: int = 1,
    restarts: int = 2,
    patience: float = PATIENCE,
    real_patience: float = REAL_PATIENCE,
) -> Report:
    """Examine a trigger; it takes a thread and an event loop of its own, so a notebook's loop is not in its way.

    Args:
        make: A callable that returns a fresh trigger, the same one each time, as a Dag file does at each parse; or a
            trigger.
        cause: Makes the n-th thing happen in the outside world, counted from 0; called in a thread. It may be a
            coroutine function, which gets a loop of its own. Without it the trigger has to fire for the world as it
            stands.
        events: How many things are to happen, one after the other; each has to bring one event.
        restarts: How often the trigger is cancelled and started again afterwards, in a world that does not change.
        patience: Seconds on the bench's clock that an event may take, and that each quiet spell is watched.
        real_patience: Real seconds that an event may take; a quiet spell is watched for a fifth of it.

    Raises:
        TypeError: `make` gives nothing that has `serialize` and `run`.
        Exception: What `make` or `cause` raises.
    """
    began = time.monotonic()
    threshold = triggerer.prepare()
    fresh = make if isinstance(make, type) or not hasattr(make, "serialize") else lambda: make
    if not callable(fresh):
        raise TypeError(f"a trigger or a callable that returns one is wanted, not {type(make).__name__}")
    trigger = fresh()
    if not (hasattr(trigger, "serialize") and hasattr(trigger, "run")):
        raise TypeError(f"a trigger or a callable that returns one is wanted, not {type(trigger).__name__}")
    work = _Examination(trigger, fresh, cause, events, restarts, patience, real_patience)
    with _as_the_triggerer():
        work.serialise()
        if work.row is not None:
            _in_a_thread(work, threshold)
    if work.error is not None:
        raise work.error
    return work.report(time.monotonic() - began)


async def examine_async(make: Any, **arguments: Any) -> Report:
    """Examine a trigger from within a running loop, which goes on meanwhile. The arguments are those of `examine`."""
    return await asyncio.to_thread(examine, make, **arguments)


class _as_the_triggerer:  # noqa: N801  reads like the function it stands for
    """Hooks look for connections as in the triggerer's child process: no metadata database."""

    def __enter__(self) -> None:
        self.before = os.environ.get("_AIRFLOW_PROCESS_CONTEXT")
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"

    def __exit__(self, *_: object) -> None:
        if self.before is None:
            os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
        else:
            os.environ["_AIRFLOW_PROCESS_CONTEXT"] = self.before


class _Stuck(BaseException):
    """Raised in the bench's thread, where code that never gives the loop back runs."""


def _in_a_thread(work: _Examination, threshold: float) -> None:
    """Run the examination's second part, and come back even if the trigger does not."""
    loop: list[JumpingLoop] = []

    def run() -> None:
        one = JumpingLoop(threshold)
        loop.append(one)
        one.set_exception_handler(lambda *_: None)  # what is lost is counted, not logged
        with suppress(_Stuck):
            try:
                asyncio.set_event_loop(one)
                one.run_until_complete(work.run(one))
            except Exception as error:  # noqa: BLE001  handed to the caller's thread
                work.error = error
            finally:
                _close(one)

    thread = threading.Thread(target=run, name="trigger-bench", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        if loop and not work.ended and loop[0].watch.stuck() > HANG:
            loop[0].watch.give_up()
            work.stuck = True
            work.take_down(loop[0])
            # A task keeps what is raised in it to itself, and the loop goes on to the next: told again until it ends.
            # A call in C does not hear it; the thread is a daemon and ends with the process.
            for _ in range(6):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stuck))
                thread.join(0.5)
                if not thread.is_alive():
                    break
            return


def _close(loop: JumpingLoop) -> None:
    """Close the loop; what refuses to be cancelled is left to it."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  it was counted
        task.cancel()
    with suppress(Exception):
        for transport in list(loop._transports.values()):  # type: ignore[attr-defined]  # noqa: SLF001  they are told of
            transport.abort()
        loop.call_real(2.0, loop.stop)
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.watch.end()
    asyncio.set_event_loop(None)
    if executor := getattr(loop, "_default_executor", None):
        executor.shutdown(wait=False)
        loop._default_executor = None  # type: ignore[attr-defined]  # noqa: SLF001  not to wait for its threads
    loop.close()


class _Examination:
    """What is found, step by step."""

    def __init__(  # noqa: PLR0913, PLR0917  what `examine` was given, handed on once
        self,
        trigger: Any,
        fresh: Callable[[], Any],
        cause: Callable[[int], Awaitable[object] | object] | None,
        events: int,
        restarts: int,
        patience: float,
        real_patience: float,
    ) -> None:
        self.trigger = trigger
        self.fresh = fresh
        self.cause = cause
        self.wanted = events
        self.restarts = restarts
        self.patience = patience
        self.real_patience = real_patience
        self.row: triggerer.Row | None = None
        self.name = f"{type(trigger).__module__}.{type(trigger).__qualname__}"
        self.error: Exception | None = None
        self.ended = False
        self.stuck = False
        self.findings: dict[str, Finding] = {}
        self.state = StateStore()
        self.caused: list[triggerer.Event] = []
        self.surplus: list[triggerer.Event] = []
        self.missed = 0
        self.watched = 0.0
        self.watcher: triggerer.Watcher | None = None
        self.kind: str | None = None
        self.cancelled: list[str] = []
        self.saved = 0.0

    def found(self, check: str, passed: bool | None, outcome: str, **facts: Any) -> None:  # noqa: FBT001  its nature
        """Take down a finding."""
        self.findings[check] = Finding(check, passed, outcome, facts)

    # The way through the database.

    def serialise(self) -> None:
        """Look at the trigger's way from a Dag file through the database into the triggerer."""
        name = type(self.trigger).__name__
        is_one = triggerer.is_event_trigger(self.trigger)
        self.found("event-trigger", is_one, "yes" if is_one else "no", trigger=name)
        try:
            self.row = triggerer.store(self.trigger, self.fresh)
        except Exception as error:  # noqa: BLE001  a finding
            self.found("serialises", False, "raises", error=_told(error))
            self.found("hash-stable", None, "unknown")
            return
        self.name = self.row.classpath
        self._compare()
        self._hash()

    def _compare(self) -> None:
        row = self.row
        assert row is not None  # noqa: S101  for the type checker
        try:
            again = row.inflate()
            classpath, written = again.serialize()
        except Exception as error:  # noqa: BLE001  a finding
            self.found("serialises", False, "does-not-come-back", error=_told(error), classpath=row.classpath)
            return
        if classpath != row.classpath:
            self.found("serialises", False, "other-class", classpath=row.classpath, other=classpath)
            return
        if type(again) is not type(self.trigger) and isinstance(self.trigger, type(again)):
            self.found("serialises", False, "parent", parent=row.classpath)
            return
        changed = sorted(
            name for name in {*row.written, *written} if not _equal(row.written.get(name), written.get(name))
        )
        if type(again) is type(self.trigger):
            # What `serialize()` forgets is the same on both sides of it, and yet lost.
            before, after = _public(self.trigger), _public(again)
            changed += sorted(
                name for name in before if name not in changed and not _equal(before[name], after.get(name))
            )
        forgotten = sorted(name for name in _parameters(self.trigger) if name not in row.written)
        if changed:
            self.found("serialises", False, "changed", names=", ".join(changed))
        elif forgotten and type(again) is type(self.trigger):
            self.found("serialises", False, "forgets", names=", ".join(forgotten))
        else:
            self.found("serialises", True, "equal", kwargs=len(row.written))

    def _hash(self) -> None:
        row = self.row
        assert row is not None  # noqa: S101  for the type checker
        try:
            made = (self.trigger, self.trigger, self.fresh())
            hashes = [row.hash(), *(triggerer.hash_of(*triggerer.encode(one)) for one in made)]
        except Exception as error:  # noqa: BLE001  a finding
            self.found("hash-stable", False, "raises", error=_told(error))
            return
        same = len(set(hashes)) == 1
        self.found("hash-stable", same, "stable" if same else "differs")

    # Under the clock.

    async def run(self, loop: JumpingLoop) -> None:
        """Run the trigger through all that it has to stand."""
        assert self.row is not None  # noqa: S101  for the type checker
        loop.use_anyio()
        self.watcher = triggerer.Watcher(self.row, self.state, loop)
        if (task := asyncio.current_task()) is not None:
            self.watcher.ours.add(task)
        try:
            await self._observe(loop)
        finally:
            if not self.stuck:  # else it was taken down already, and this is code that was thrown out
                self.ended = True
                self.take_down(loop)

    async def _observe(self, loop: JumpingLoop) -> None:
        watcher = self.watcher
        assert watcher is not None  # noqa: S101  for the type checker
        watcher.start()
        if self.cause is not None:
            await self._quiet(loop)
        for number in range(self.wanted):
            before = len(watcher.events)  # it may see what happens before the one who makes it happen is done
            if self.cause is not None:
                await loop.run_in_executor(None, _call, self.cause, number)
            if not await self._one_event(loop, before):
                break
            await self._quiet(loop)
        for _ in range(self.restarts):
            await self._stop(loop)
            watcher.start()
            await self._quiet(loop)
        await self._stop(loop)

    async def _until(self, loop: JumpingLoop, done: Callable[[], bool], seconds: float, real: float) -> bool:
        """Wait until something is so, on the bench's clock and on the real one no longer than told."""
        watcher = self.watcher
        assert watcher is not None  # noqa: S101  for the type checker
        over = False

        def end() -> None:
            nonlocal over
            over = True
            watcher.changed.set()

        timer = loop.call_later(seconds, end)
        loop.call_real(real, end)
        while not done() and not over:
            watcher.changed.clear()
            await watcher.changed.wait()
        over = True
        timer.cancel()
        return done()

    async def _one_event(self, loop: JumpingLoop, before: int) -> bool:
        watcher = self.watcher
        assert watcher is not None  # noqa: S101  for the type checker
        if not await self._until(loop, lambda: len(watcher.events) > before, self.patience, self.real_patience):
            self.missed += 1
            return False
        event = watcher.events[before]
        self.caused.append(event)
        if self.kind is None:
            ends = len(watcher.returns)
            returned = await self._until(loop, lambda: len(watcher.returns) > ends, 0.5, self.real_patience / 5)
            self.kind = "yield-and-return" if returned or event.start < watcher.starts else "long-running"
        return True

    async def _quiet(self, loop: JumpingLoop) -> None:
        """Watch while nothing happens outside; whatever fires now has no cause."""
        watcher = self.watcher
        assert watcher is not None  # noqa: S101  for the type checker
        before = len(self.caused) + len(self.surplus)
        began = loop.time()
        await self._until(loop, lambda: len(watcher.events) >= before + ENOUGH, self.patience, self.real_patience / 5)
        self.watched += loop.time() - began
        self.surplus += watcher.events[before:]

    async def _stop(self, loop: JumpingLoop) -> None:
        """Cancel the trigger as the triggerer does at its end, and see what it makes of it."""
        watcher = self.watcher
        assert watcher is not None  # noqa: S101  for the type checker
        assert watcher.keeper is not None  # noqa: S101  for the type checker
        if watcher.task is None:  # between two starts
            starts = watcher.starts
            await self._until(loop, lambda: watcher.starts > starts, triggerer.CADENCE * 2, self.real_patience / 5)
            await asyncio.sleep(0)
        task = watcher.task
        before = len(watcher.events)
        if task is None or task.done():
            self.cancelled.append("not-caught")
        else:
            watcher.ours.add(task)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await self._until(loop, task.done, 5.0, self.real_patience / 5)
            if not task.done():
                self.cancelled.append("goes-on")
                for _ in range(3):
                    task.cancel()
                    await asyncio.sleep(0)
            elif task.cancelled():
                self.cancelled.append("cancelled")
            elif task.exception() is not None:
                self.cancelled.append("raises")
            else:
                self.cancelled.append("ends-as-if-done")
            await self._until(loop, lambda: watcher.task is None, 2.0, 1.0)
            await asyncio.sleep(1.5)  # while leftovers are looked for; the keeper waits longer than that
        self.surplus += watcher.events[before:]
        watcher.keeper.cancel()
        await asyncio.wait([watcher.keeper])
        watcher.task = None
        if watcher.streams is not None:
            await watcher.streams.stop_all()
            watcher.streams = None

    # What comes of it.

    def take_down(self, loop: JumpingLoop) -> None:
        """Word the findings of the run, complete or cut short."""
        watcher = self.watcher
        if watcher is None:
            return
        self.saved = loop.jumped
        self._events_found(watcher)
        failures = watcher.failures
        if failures:
            self.found("raises-nothing", False, "raises", times=len(failures), error=failures[0])
        elif self.stuck:
            self.found("raises-nothing", None, "unknown")
        else:
            self.found("raises-nothing", True, "nothing", starts=watcher.starts)
        watch = loop.watch
        if self.stuck:
            self.found("loop-free", False, "stuck", seconds=round(watch.longest, 2), place=watch.place)
        elif watch.longest:
            self.found("loop-free", False, "blocked", seconds=round(watch.longest, 2), place=watch.place)
        else:
            self.found("loop-free", True, "free", threshold=watch.threshold)
        self._end_found(watcher)

    def _events_found(self, watcher: triggerer.Watcher) -> None:
        caused, surplus = len(self.caused), len(self.surplus)
        if watcher.strangers:
            self.found("yields", False, "strangers", type=watcher.strangers[0])
        elif self.missed or (self.stuck and caused < self.wanted):
            self.found("yields", False, "missed", events=caused, causes=caused + 1)
        elif self.wanted == 0:
            self.found("yields", None, "not-asked")
        elif surplus:
            self.found("yields", None, "blurred", events=caused)
        else:
            self.found("yields", True, "each", events=caused)
        self._payloads(watcher)
        watched = round(self.watched)
        if surplus > self.missed:
            found = {"events": surplus, "seconds": watched, "starts": watcher.starts}
            self.found("unchanged-world", False, "fires", **found)
        elif surplus:
            self.found("unchanged-world", None, "late")
        elif self.stuck or (not caused and self.wanted):
            self.found("unchanged-world", None, "unknown")
        else:
            self.found("unchanged-world", True, "quiet", seconds=watched, starts=watcher.starts)

    def _payloads(self, watcher: triggerer.Watcher) -> None:
        if not watcher.events:
            self.found("payload-json", None, "unknown")
            return
        for event in watcher.events:
            try:
                text = json.dumps(event.payload, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                self.found("payload-json", False, "refused", error=_told(error))
                return
            if json.loads(text) != event.payload:
                self.found("payload-json", True, "changed")
                return
        self.found("payload-json", True, "safe", bytes=max(len(json.dumps(one.payload)) for one in watcher.events))

    def _end_found(self, watcher: triggerer.Watcher) -> None:
        times = len(self.cancelled)
        for outcome in ("goes-on", "ends-as-if-done", "raises"):
            if outcome in self.cancelled:
                self.found("cancels", False, outcome)
                break
        else:
            if watcher.cleanups:
                self.found("cancels", False, "cleanup", error=watcher.cleanups[0])
            elif "cancelled" in self.cancelled:
                self.found("cancels", True, "cancelled", times=self.cancelled.count("cancelled"))
            else:
                self.found("cancels", None, "unknown" if self.stuck else "not-caught")
        if watcher.left:
            self.found("leaves-nothing", False, "left", left=", ".join(watcher.left))
        elif self.stuck or not watcher.returns or "goes-on" in self.cancelled:
            self.found("leaves-nothing", None, "unknown")
        else:
            self.found("leaves-nothing", True, "nothing", ends=max(times, len(watcher.returns)))

    def report(self, seconds: float) -> Report:
        """Put the findings together; what was not reached could not be told."""
        for check in CHECKS:
            self.findings.setdefault(check, Finding(check, None, "unknown"))
        return Report(
            trigger=self.name,
            findings=tuple(self.findings[check] for check in CHECKS),
            events=tuple(event.payload for event in self.caused),
            kind=self.kind,
            state={key: json.loads(value) for key, value in self.state.values.items()},
            seconds=seconds,
            saved=self.saved,
        )


def _call(cause: Callable[[int], Awaitable[object] | object], number: int) -> None:
    """Make something happen, in a thread."""
    happening = cause(number)
    if inspect.isawaitable(happening):

        async def wait() -> None:
            await happening

        asyncio.run(wait())


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def _public(trigger: Any) -> dict[str, Any]:
    """Return what an author has put into a trigger: its attributes, without private and inherited ones."""
    from airflow.triggers.base import BaseTrigger  # noqa: PLC0415

    class Plain(BaseTrigger):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # Airflow ships it untyped

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "", {}

        async def run(self) -> Any:
            yield

    plain = {*vars(Plain()), "asset_state_store"}
    return {name: value for name, value in vars(trigger).items() if name not in plain and not name.startswith("_")}


def _parameters(trigger: Any) -> list[str]:
    """Return the parameters of a trigger's constructor that it keeps under their own names."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(type(trigger).__init__).parameters.values()
    return [one.name for one in parameters if one.kind not in kinds and one.name in vars(trigger)]


def _equal(one: Any, other: Any) -> bool:
    """Compare two values; objects that cannot be compared are equal if they hold the same."""
    with suppress(Exception):
        if one == other:
            return type(one) is type(other) or not isinstance(one, (list, tuple, str, bytes, bool))
    compares = "__eq__" in {name for kind in type(one).__mro__[:-1] for name in vars(kind)}
    return type(one) is type(other) and not compares and hasattr(one, "__dict__") and bool(vars(one) == vars(other))
