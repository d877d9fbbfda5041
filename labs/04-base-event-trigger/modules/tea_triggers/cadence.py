"""How often a trigger can fire: one that returns after each event beside one that stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# [marked]
class MarkedS3Key(S3KeyTrigger, BaseEventTrigger):
    """`S3KeyTrigger` with the mark that `AssetWatcher` asks for, and nothing else. Never do this."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return this class in place of the one it inherits from, with the same arguments."""
        return f"{__name__}.MarkedS3Key", super().serialize()[1]

    # [/marked]


async def always(response: object) -> bool:
    """Tell `HttpEventTrigger` that whatever came is worth an event."""
    del response
    return True


# [tick]
class TickTrigger(BaseEventTrigger):
    """Fires every so many seconds, to show what `run()` does to the pace.

    Args:
        seconds: Between two events.
        stay: Go on after an event; if not, return and be started again.
    """

    def __init__(self, seconds: float, *, stay: bool) -> None:
        super().__init__()
        self.seconds = seconds
        self.stay = stay

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.TickTrigger", {"seconds": self.seconds, "stay": self.stay}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield, and then go on or not."""
        tick = 0
        while True:
            await asyncio.sleep(self.seconds)
            tick += 1
            yield TriggerEvent({"tick": tick})
            if not self.stay:
                return

    # [/tick]
