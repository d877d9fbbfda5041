"""Workaround 4: when it is quiet again, one more event that brings along whatever was left behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FlushTrigger(BaseEventTrigger):
    """Yields an event for each message, and one without a message after each burst.

    Args:
        topics: The Kafka topics.
        kafka_config_id: The connection, and with it the consumer group.
        quiet: Seconds without a message after which a burst is over; more than the scheduler needs for a look.
    """

    def __init__(self, topics: list[str], kafka_config_id: str, quiet: float = 2.0) -> None:
        super().__init__()
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self.quiet = quiet
        self._feed = Feed(topics, kafka_config_id)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("topics", "kafka_config_id", "quiet")
        return f"{__name__}.FlushTrigger", {name: getattr(self, name) for name in names}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Tell each message; when none has come for a while, tell that."""
        await self._feed.open()
        told = None  # when the newest message was told; None once it is flushed
        while True:
            for message in await self._feed.take(most=100, patience=0.5):
                yield TriggerEvent(text(message))
                await self._feed.commit([message])
                told = time.monotonic()
            if told is not None and time.monotonic() - told > self.quiet:
                yield TriggerEvent(None)  # the flush: no message
                told = None

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()
