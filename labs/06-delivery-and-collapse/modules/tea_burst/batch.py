"""Workaround 1: one event for all the messages that are there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# [trigger]
class KafkaBatchTrigger(BaseEventTrigger):
    """Takes all the messages that are there and yields ONE event: its payload is the list of them, as text.

    Args:
        topics: The Kafka topics.
        kafka_config_id: The connection, and with it the consumer group.
        max_messages: How many messages an event may hold.
        gap: Seconds between two events: of two quick ones, Airflow 3.3 could leave the second without a run.
    """

    def __init__(self, topics: list[str], kafka_config_id: str, max_messages: int = 500, gap: float = 2.0) -> None:
        super().__init__()
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self.max_messages = max_messages
        self.gap = gap
        self._feed = Feed(topics, kafka_config_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("topics", "kafka_config_id", "max_messages", "gap")
        return f"{__name__}.KafkaBatchTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take, tell, pause, commit.

        Whoever dies before the commit reads the same messages again.
        """
        await self._feed.open()
        while True:
            messages = await self._feed.take(self.max_messages, 0.5)
            if messages:
                yield TriggerEvent([text(message) for message in messages])
                await asyncio.sleep(self.gap)
                await self._feed.commit(messages)

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()

    # [/trigger]
