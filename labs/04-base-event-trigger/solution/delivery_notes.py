"""Solution: a trigger that fires when a delivery note comes into a folder."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def look_into(folder: str) -> dict[str, str]:
    """Return each file with its time of change and size; both are the same as long as the file is."""
    time.sleep(0.3)  # the shop's network drive is that slow
    if not Path(folder).is_dir():
        return {}
    stats = {path.name: path.stat() for path in Path(folder).iterdir() if path.is_file()}
    return {name: f"{stat.st_mtime_ns}/{stat.st_size}" for name, stat in stats.items()}


class DeliveryTrigger(BaseEventTrigger):
    """Fires once for each file that is new in a folder, or has changed.

    Args:
        folder: Where to look.
        poll_seconds: Between two looks.
    """

    def __init__(self, folder: str, poll_seconds: float = 0.5) -> None:
        super().__init__()
        self.folder = folder
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.DeliveryTrigger", {"folder": self.folder, "poll_seconds": self.poll_seconds}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, compare with what was there before, tell what is new, remember."""
        seen = await self.asset_state_store.aget("seen", {})
        while True:
            there = await asyncio.to_thread(look_into, self.folder)
            new = sorted(name for name, mark in there.items() if seen.get(name) != mark)
            if new:
                yield TriggerEvent({"files": new})
            if there != seen:
                seen = there
                await self.asset_state_store.aset("seen", seen)
            await asyncio.sleep(self.poll_seconds)

    # [/run]
