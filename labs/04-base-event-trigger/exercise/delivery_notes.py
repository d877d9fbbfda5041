"""Exercise: a trigger that fires when a delivery note comes into a folder.

It runs, and four things are wrong with it. All of them are in `run()`; the rest may stay as it is.
The class lives in a file of its own, and not in the Dag's: the triggerer has to be able to import it.
"""

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
        """TODO: look without holding the others up, tell plain JSON, stay, and remember what was told."""
        while True:
            files = [Path(self.folder) / name for name in look_into(self.folder)]
            if files:
                yield TriggerEvent({"files": files})
                return
            await asyncio.sleep(self.poll_seconds)

    # [/run]
