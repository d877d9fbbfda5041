"""Workaround 2: an event for each message, and time between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SpacedTrigger(BaseEventTrigger):
    """Yields an event for each message, none sooner than `gap` after the one before.

    Args:
        topics: The Kafka topics.
        kafka_config_id: The connection, and with it the consumer group.
        gap: Seconds between two events; more than the scheduler needs for a look.
    """

    def __init__(self, topics: list[str], kafka_config_id: str, gap: float = 2.0) -> None:
        super().__init__()
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self.gap = gap
        self._feed = Feed(topics, kafka_config_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("topics", "kafka_config_id", "gap")
        return f"{__name__}.SpacedTrigger", {name: getattr(self, name) for name in names}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take one, tell it, pause; the others wait in Kafka."""
        await self._feed.open()
        while True:
            for message in await self._feed.take(most=1, patience=0.5):
                yield TriggerEvent(text(message))
                await asyncio.sleep(self.gap)
                await self._feed.commit([message])

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()
