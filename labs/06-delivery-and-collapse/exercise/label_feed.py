"""Exercise: messages on the topic `labels`, as events. It works, as long as they do not come quickly.

The class lives in a file of its own, and not in the Dag's: the triggerer has to be able to import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class LabelTrigger(BaseEventTrigger):
    """Fires for the labels that wait to be printed."""

    def __init__(self) -> None:
        super().__init__()
        self._feed = Feed(["labels"], "kafka_labels")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.LabelTrigger", {}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """TODO: some labels are never printed. Mend it here or in the Dag."""
        await self._feed.open()
        while True:
            for message in await self._feed.take(most=100, patience=0.5):
                yield TriggerEvent(text(message))
                await self._feed.commit([message])

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()
