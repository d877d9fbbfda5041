"""Kafka, a batch per poll: the interim trigger of the bench."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class KafkaBatchTrigger(BaseEventTrigger):
    """Takes all that is there, up to a number, and puts it into one event; then waits until that has its run."""

    def __init__(self, topics: list[str], kafka_config_id: str, most: int = 5000, pause: float = 2.5) -> None:
        super().__init__()
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self.most = most
        self.pause = pause

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("topics", "kafka_config_id", "most", "pause")
        return f"{__name__}.KafkaBatchTrigger", {name: getattr(self, name) for name in names}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take, tell, wait, and stay."""
        consumer = await sync_to_async(KafkaConsumerHook(self.topics, self.kafka_config_id).get_consumer)()
        try:
            while True:
                messages = await sync_to_async(consumer.consume)(self.most, 0.2)
                if messages:
                    await sync_to_async(consumer.commit)(asynchronous=False)
                    yield TriggerEvent({"messages": [one.value().decode() for one in messages]})
                    await asyncio.sleep(self.pause)
        finally:
            await sync_to_async(consumer.close)()

    # [/run]
