"""Several watchers on one folder that share one look into it."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_triggers.memory import recall, remember

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

log = logging.getLogger(__name__)


def look_into(folder: str) -> dict[str, str]:
    """Return each file with its time of change and size. It blocks: a folder may be on a slow network."""
    log.info("looked into %s", folder)
    try:
        with os.scandir(folder) as entries:
            return {one.name: f"{one.stat().st_mtime_ns}/{one.stat().st_size}" for one in entries if one.is_file()}
    except FileNotFoundError:
        return {}


# [trigger]
class CardTrigger(BaseEventTrigger):
    """Fires when files of one kind come into a folder.

    Args:
        folder: Where to look.
        suffix: How their names end.
        share: Take part in the look that all watchers of this folder share.
        poll_seconds: Between two looks.
    """

    def __init__(self, folder: str, suffix: str, *, share: bool, poll_seconds: float = 0.5) -> None:
        super().__init__()
        self.folder = folder
        self.suffix = suffix
        self.share = share
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("folder", "suffix", "share", "poll_seconds")
        return f"{__name__}.CardTrigger", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> Hashable | None:
        """Whose key is equal shares a look. It holds what the look depends on, and not the suffix."""
        return ("cards", self.folder, self.poll_seconds) if self.share else None

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[dict[str, str]]:
        """Look again and again; called once for the whole group, with the arguments of one of them."""
        while True:
            yield await asyncio.to_thread(look_into, kwargs["folder"])
            await asyncio.sleep(kwargs["poll_seconds"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[dict[str, str]]) -> AsyncIterator[TriggerEvent]:
        """Pick what is ours and new out of what all of the group see."""
        seen = await recall(self)
        async for there in shared_stream:
            mine = {name: mark for name, mark in there.items() if name.endswith(self.suffix)}
            new = sorted(name for name, mark in mine.items() if seen.get(name) != mark)
            if new:
                yield TriggerEvent({"files": new})
            if mine != seen:
                seen = mine
                await remember(self, seen)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same alone."""
        stream = self.open_shared_stream(self.serialize()[1])
        async for event in self.filter_shared_stream(stream):
            yield event

    # [/trigger]
