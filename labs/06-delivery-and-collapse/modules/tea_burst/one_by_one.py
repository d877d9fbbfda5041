"""An event for each message, as quickly as they come: what Airflow 3.3 makes fewer runs of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# [trigger]
class OneByOneTrigger(BaseEventTrigger):
    """Yields an event for each message.

    Args:
        topics: The Kafka topics.
        kafka_config_id: The connection, and with it the consumer group.
    """

    def __init__(self, topics: list[str], kafka_config_id: str) -> None:
        super().__init__()
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self._feed = Feed(topics, kafka_config_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.OneByOneTrigger", {"topics": self.topics, "kafka_config_id": self.kafka_config_id}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Tell each message by itself, and stay."""
        await self._feed.open()
        while True:
            for message in await self._feed.take(most=100, patience=0.5):
                yield TriggerEvent(text(message))
                await self._feed.commit([message])

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()

    # [/trigger]
