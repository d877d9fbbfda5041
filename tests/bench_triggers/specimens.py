"""Tiny triggers: one good of each kind, and one for each defect that the bench has to find."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Good(BaseEventTrigger):
    """Tells of each new file in a folder once, and remembers which it has told."""

    def __init__(self, folder: str, poll: float = 60.0) -> None:
        super().__init__()
        self.folder = folder
        self.poll = poll

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"folder": self.folder, "poll": self.poll}

    def names(self) -> list[str]:
        return sorted(path.name for path in Path(self.folder).iterdir())

    async def told(self) -> list[str]:
        assert self.asset_state_store is not None
        return await self.asset_state_store.aget("told", [])  # type: ignore[return-value]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            told = await self.told()
            for name in await asyncio.to_thread(self.names):
                if name not in told:
                    told.append(name)
                    await self.remember(told)
                    yield TriggerEvent(self.payload(name))
            await asyncio.sleep(self.poll)

    async def remember(self, told: list[str]) -> None:
        assert self.asset_state_store is not None
        await self.asset_state_store.aset("told", told)  # type: ignore[arg-type]

    def payload(self, name: str) -> Any:
        return {"file": name}


class GoodSingleShot(Good):
    """The same, but ends after each event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in super().run():
            yield event
            return


class Plain(BaseTrigger):
    """Good, and yet of the wrong class for an AssetWatcher: it waits for nothing."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Plain", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.Event().wait()
        yield TriggerEvent(None)


class Sleeps(Good):
    """Blocks the loop."""

    def payload(self, name: str) -> Any:
        time.sleep(0.4)
        return name


class SleepsBriefly(Good):
    """Holds the loop for less than Airflow minds."""

    def payload(self, name: str) -> Any:
        time.sleep(0.05)
        return name


class NeverComesBack(Good):
    """Never gives the loop back."""

    def payload(self, name: str) -> Any:
        while True:
            pass


class Datetime(Good):
    """Its payload holds a datetime."""

    def payload(self, name: str) -> Any:
        return {"file": name, "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}


class Bytes(Good):
    """Its payload is bytes."""

    def payload(self, name: str) -> Any:
        return name.encode()


class NotANumber(Good):
    """Its payload holds what Python's JSON can write and PostgreSQL's cannot read."""

    def payload(self, name: str) -> Any:
        return {"size": float("nan")}


class Thing:
    """Nothing that Airflow can serialise."""


class Unserialisable(Good):
    """One of its kwargs is an object."""

    def __init__(self, folder: str, thing: Any = None) -> None:
        super().__init__(folder)
        self.thing = thing or Thing()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Unserialisable", {"folder": self.folder, "thing": self.thing}


class Forgetful(Good):
    """Its `serialize` forgets a kwarg."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Forgetful", {"folder": self.folder}


class Misspelt(Good):
    """Its `serialize` has a kwarg that its constructor does not know."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Misspelt", {"directory": self.folder}


class WrongPath(Good):
    """Its `serialize` names its parent."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Good", {"folder": self.folder, "poll": self.poll}


class Unstable(Good):
    """Another kwarg each time it is made."""

    _numbers = itertools.count()

    def __init__(self, folder: str, number: int | None = None) -> None:
        super().__init__(folder)
        self.number = next(self._numbers) if number is None else number

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Unstable", {"folder": self.folder, "number": self.number}


class Swallows(Good):
    """Goes on when it is cancelled."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                async for event in super().run():
                    yield event
            except asyncio.CancelledError:
                continue


class EndsQuietly(Good):
    """Takes being cancelled for being done."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            return


class CleanupRaises(Good):
    """Its cleanup fails."""

    async def cleanup(self) -> None:
        raise RuntimeError("no")


class Levels(Good):
    """Fires for a file that is there, however long it has been there; ends after each event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while not self.names():
            await asyncio.sleep(self.poll)
        yield TriggerEvent({"files": len(self.names())})


class Repeats(Levels):
    """The same, without ending."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            async for event in super().run():
                yield event
            await asyncio.sleep(self.poll)


class Eager(Levels):
    """Fires without a pause."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            yield TriggerEvent("now")


class ForgetsAtRestart(Good):
    """Remembers in memory only: all is new to it when it starts again."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self._told: list[str] = []
        async for event in super().run():
            yield event

    async def told(self) -> list[str]:
        return self._told

    async def remember(self, told: list[str]) -> None:
        self._told = told


class Doubles(Good):
    """Two events for each file."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in super().run():
            yield event
            yield event


class Silent(Good):
    """Never fires."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            await asyncio.sleep(self.poll)
        yield TriggerEvent(None)


class OnlyOnce(Good):
    """Fires for the first file and never again."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if await self.told():
            await asyncio.Event().wait()
        async for event in super().run():
            yield event
            await asyncio.Event().wait()


class Returns(Good):
    """Has nothing to say and ends at once, each time."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        return
        yield


class Raises(Good):
    """Fails when something comes."""

    def payload(self, name: str) -> Any:
        raise OSError("broker said no")


class YieldsPlain(Good):
    """Yields its payload without the event around it."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in super().run():
            yield event.payload


class LeavesTask(Good):
    """Starts a task and forgets it."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self._heartbeat = asyncio.create_task(self.beat())
        async for event in super().run():
            yield event

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(30)


class EndsTask(LeavesTask):
    """The same, but sees to it."""

    async def cleanup(self) -> None:
        self._heartbeat.cancel()


class LeavesThread(Good):
    """Starts a thread and forgets it."""

    stop = threading.Event()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        threading.Thread(target=self.stop.wait, name="listener", daemon=True).start()
        async for event in super().run():
            yield event


class LeavesConnection(Good):
    """Opens a connection and forgets it."""

    kept: tuple[Any, ...] = ()
    address: tuple[str, int] = ("127.0.0.1", 0)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        type(self).kept += (await asyncio.open_connection(*self.address),)
        async for event in super().run():
            yield event


class CannotBeWritten(Good):
    """Its `serialize` fails."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError


class Loses(Good):
    """Its constructor makes something else of a kwarg each time."""

    def __init__(self, folder: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(folder)
        self.names_ = names
        self.seen = ["start", *names]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Loses", {"folder": self.folder, "names": tuple(self.seen)}


class RaisesAfterwards(Good):
    """Fails after each event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in super().run():
            yield event
            raise OSError("connection closed")


class FailsToStop(Good):
    """Makes an error of being cancelled."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            raise OSError("closed") from None
