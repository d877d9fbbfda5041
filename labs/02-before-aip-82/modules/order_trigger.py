"""A trigger for watchers that takes all orders there are and makes one event of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from tea_counter import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GAP = 2.0
"""Seconds between two events: of quicker ones, Airflow 3.3 could leave all but the first without a run."""


class OrdersTrigger(BaseEventTrigger):
    """Yields one event for all the orders that wait on the topic, and goes on.

    Args:
        topic: The Kafka topic.
        kafka_config_id: The connection, and with it the consumer group.
    """

    def __init__(self, topic: str, kafka_config_id: str) -> None:
        super().__init__()
        self.topic = topic
        self.kafka_config_id = kafka_config_id
        self._consumer: Any = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database keeps."""
        return "order_trigger.OrdersTrigger", {"topic": self.topic, "kafka_config_id": self.kafka_config_id}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look ten times a second, and yield a list of orders."""
        hook = KafkaConsumerHook([self.topic], self.kafka_config_id)
        self._consumer = await sync_to_async(hook.get_consumer)()
        while True:
            messages = self._consumer.consume(500, timeout=0)  # what has arrived already; does not wait
            if not messages:
                await asyncio.sleep(0.1)
                continue
            yield TriggerEvent([read(message) for message in messages])
            await sync_to_async(self._consumer.commit)(message=messages[-1], asynchronous=False)
            await asyncio.sleep(GAP)

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group, so that whoever comes next need not wait for this one to be missed."""
        if self._consumer is not None:
            await sync_to_async(self._consumer.close)()
