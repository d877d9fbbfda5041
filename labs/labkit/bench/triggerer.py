"""One trigger, kept as Airflow's triggerer keeps it; the one place of the bench that touches Airflow.

It rests on Airflow 3.3.2: `jobs/triggerer_job_runner.py` (`create_triggers`, `run_trigger`, `cancel_triggers`),
`dag_processing/collection.py` (`add_asset_trigger_references`), `models/trigger.py` (`encrypt_kwargs`).
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import importlib
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import JumpingLoop
    from .store import StateStore

CADENCE = 2.0
"""Seconds until the triggerer starts a `run()` again that has ended: two of its loops, measured with Airflow 3.3.2."""

PERSIST = 1.0
"""Seconds until the triggerer's parent confirms that an event is in the database: one loop of each process."""


def isolate() -> None:
    """Give Airflow a temporary home, unless it has one or is imported already.

    Airflow writes a configuration file where its home is, `~/airflow` by default, as soon as it is imported.
    """
    if "airflow" in sys.modules or os.environ.get("AIRFLOW_HOME"):
        return
    home = tempfile.mkdtemp(prefix="trigger-bench-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    # Without a key Airflow warns, in the middle of whatever is being told.
    os.environ.setdefault("AIRFLOW__CORE__FERNET_KEY", base64.urlsafe_b64encode(os.urandom(32)).decode())
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")


def prepare() -> float:
    """Import what is needed of Airflow and return its threshold for a blocked loop, in seconds."""
    isolate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, at its import
        import airflow.models.trigger  # noqa: PLC0415
        import airflow.serialization.decoders  # noqa: PLC0415
        import airflow.serialization.serialized_objects  # noqa: PLC0415
        import airflow.triggers.base  # noqa: PLC0415
        from airflow.configuration import conf  # noqa: PLC0415

        with suppress(ImportError):  # before 3.3 there is none
            import airflow.triggers.shared_stream  # noqa: PLC0415, F401
    return float(conf.getfloat("triggerer", "blocked_main_thread_warning_threshold", fallback=0.2))


def is_event_trigger(trigger: object) -> bool:
    """Tell whether an AssetWatcher takes it: its validator asks for nothing but the class."""
    from airflow.triggers.base import BaseEventTrigger  # noqa: PLC0415

    return isinstance(trigger, BaseEventTrigger)


@dataclass(frozen=True)
class Row:
    """A trigger as the database holds it.

    Attributes:
        classpath: The class that the triggerer will import.
        written: The kwargs as `serialize()` gave them.
        stored: The kwargs after the Dag's serialisation, in the form that the column takes.
        fallback: What makes the trigger if the row cannot.
    """

    classpath: str
    written: dict[str, Any]
    stored: str
    fallback: Callable[[], Any]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The kwargs as the triggerer reads them."""
        from airflow.models.trigger import Trigger  # noqa: PLC0415
        from airflow.serialization.decoders import smart_decode_trigger_kwargs  # noqa: PLC0415

        read = Trigger._decrypt_kwargs(self.stored)  # noqa: SLF001  as `create_triggers` does
        decode: Callable[[Any], Any] = smart_decode_trigger_kwargs
        return {name: decode(value) for name, value in read.items()}

    def hash(self) -> int:
        """Return what the Dag processor compares a file's triggers with the database's by."""
        from airflow.models.trigger import Trigger  # noqa: PLC0415
        from airflow.triggers.base import BaseEventTrigger  # noqa: PLC0415

        return BaseEventTrigger.hash(self.classpath, Trigger._decrypt_kwargs(self.stored))  # noqa: SLF001

    def inflate(self) -> Any:
        """Make the trigger from the row as the triggerer does."""
        module, _, name = self.classpath.rpartition(".")
        return getattr(importlib.import_module(module), name)(**self.kwargs)

    def build(self) -> Any:
        """Make the trigger from the row, or as its author did if the row is no good; that is a finding already."""
        try:
            return self.inflate()
        except Exception:  # noqa: BLE001  whatever it was, it was told
            return self.fallback()


def encode(trigger: Any) -> tuple[str, dict[str, Any]]:
    """Return classpath and kwargs as the Dag's serialisation has them."""
    from airflow.serialization.encoders import encode_trigger  # noqa: PLC0415

    encoded = encode_trigger(trigger)
    return encoded["classpath"], encoded["kwargs"]


def store(trigger: Any, fallback: Callable[[], Any]) -> Row:
    """Take a trigger the way from a Dag file into the database."""
    from airflow.models.trigger import Trigger  # noqa: PLC0415

    _, written = trigger.serialize()
    classpath, encoded = encode(trigger)
    return Row(classpath, written, Trigger.encrypt_kwargs(encoded), fallback)


def hash_of(classpath: str, kwargs: dict[str, Any]) -> int:
    """Return Airflow's hash of a trigger."""
    from airflow.triggers.base import BaseEventTrigger  # noqa: PLC0415

    return BaseEventTrigger.hash(classpath, kwargs)


@dataclass
class Event:
    """An event as the triggerer took it: the loop's time, the payload, and of which start of `run()`."""

    at: float
    payload: Any
    start: int


@dataclass
class Watcher:
    """A row that the triggerer keeps alive: `run()` is started, and started again `CADENCE` after it has ended.

    Each start makes a new instance from the row: nothing in memory outlives `run()`, the `asset_state_store` does.
    """

    row: Row
    state: StateStore
    loop: JumpingLoop
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    events: list[Event] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cleanups: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    starts: int = 0
    returns: list[float] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    ours: set[asyncio.Task[Any]] = field(default_factory=set)
    streams: Any = None
    keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, as at the triggerer's own start."""
        self.keeper = asyncio.get_running_loop().create_task(self._keep(), name="trigger-bench keeper")
        self.ours.add(self.keeper)

    async def _keep(self) -> None:
        while True:
            self.starts += 1
            try:
                trigger = self.row.build()
            except Exception as error:  # noqa: BLE001  a finding
                self.failures.append(f"{type(error).__name__}: {error}")
                self.changed.set()
                await asyncio.sleep(CADENCE)
                continue
            trigger.trigger_id = self.starts
            if is_event_trigger(trigger):
                trigger.asset_state_store = self.state
            before = asyncio.all_tasks()
            files = self.loop.open_files
            threads = set(self.loop.foreign_threads())
            self.task = asyncio.get_running_loop().create_task(self._run(trigger, self.starts), name="trigger")
            await asyncio.wait([self.task])
            task, self.task = self.task, None
            if not task.cancelled() and (raised := task.exception()):
                self.failures.append(f"{type(raised).__name__}: {raised}")
            self.returns.append(self.loop.time())
            self.changed.set()
            await self._count_leftovers(before, files, threads)
            await asyncio.sleep(CADENCE)

    async def _run(self, trigger: Any, number: int) -> None:
        from airflow.triggers.base import TriggerEvent  # noqa: PLC0415

        with suppress(ImportError):
            import greenback  # noqa: PLC0415  lets hooks ask for connections from within the loop

            await greenback.ensure_portal()
        key = None
        with suppress(Exception):  # the triggerer falls back to `run()`, and so do triggers without such a method
            key = trigger.shared_stream_key()
        try:
            if key is None:
                stream = trigger.run()
            else:
                if self.streams is None:
                    self.streams = _streams()
                raw = self.streams.subscribe(trigger_id=number, trigger=trigger, key=key)
                stream = trigger.filter_shared_stream(raw)
            async for event in stream:
                if key is not None:
                    seq = self.streams.bind_pending_event(trigger_id=number, key=key)
                    if seq is not None:
                        self.loop.call_later(PERSIST, self.streams.confirm_persisted, [seq])
                if isinstance(event, TriggerEvent):
                    self.events.append(Event(self.loop.time(), event.payload, number))
                else:
                    self.strangers.append(type(event).__name__)
                self.changed.set()
                await asyncio.sleep(0)  # where the triggerer writes its log, so that it can cancel even an eager one
        finally:
            if key is not None:
                await self.streams.unsubscribe(number, key)
            try:
                await trigger.cleanup()
            except Exception as error:  # noqa: BLE001  a finding; the triggerer does not even log it
                self.cleanups.append(f"{type(error).__name__}: {error}")

    async def _count_leftovers(self, before: set[asyncio.Task[Any]], files: int, threads: set[str]) -> None:
        """Take down what `run()` and `cleanup()` left behind, after a moment for connections to close."""
        found: list[str] = []
        for _ in range(20):
            tasks = asyncio.all_tasks() - before - self.ours
            extra = self.loop.open_files - files
            found = [f"task {_named(task)}" for task in tasks]
            found += [f"thread {name}" for name in sorted(set(self.loop.foreign_threads()) - threads)]
            found += [f"{extra} open connections"] if extra > 0 else []
            if not found:
                return
            await asyncio.sleep(0.05)
        self.left += [one for one in found if one not in self.left]


def _named(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))


def _streams() -> Any:
    from airflow.triggers.shared_stream import SharedStreamManager  # noqa: PLC0415

    return SharedStreamManager()
