"""A Kafka topic as triggers need it: read without holding the event loop, committed when we say so."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from asgiref.sync import sync_to_async
from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message


class Feed:
    """The messages of some topics, for one consumer group.

    Args:
        topics: The Kafka topics.
        kafka_config_id: The connection, and with it the consumer group; it has `enable.auto.commit` set to `false`.
    """

    def __init__(self, topics: list[str], kafka_config_id: str) -> None:
        self._topics = topics
        self._connection = kafka_config_id
        self._consumer: Consumer | None = None
        # A trigger that is told to end does not wait for the thread that reads for it; closing has to.
        self._busy = threading.Lock()

    async def open(self) -> None:
        """Join the consumer group."""
        # Asking Airflow for a connection needs asgiref's way into a thread; all the rest is Kafka's alone.
        hook = KafkaConsumerHook(self._topics, self._connection)
        self._consumer = await sync_to_async(hook.get_consumer)()

    async def take(self, most: int, patience: float) -> list[Message]:
        """Return what is there: at once where there is something, else after waiting for it.

        Args:
            most: How many messages at most.
            patience: How long to wait for the first one, in seconds.

        Raises:
            KafkaException: The broker sent an error in place of a message.
        """
        return await asyncio.to_thread(self._take, most, patience)

    def _take(self, most: int, patience: float) -> list[Message]:
        with self._busy:
            if self._consumer is None:
                return []
            # `consume` waits for `most` messages or the time limit; so wait for one, then take the rest.
            found = self._consumer.consume(1, timeout=patience)
            if found and most > 1:
                found += self._consumer.consume(most - 1, timeout=0.05)
        for message in found:
            if message.error():
                raise KafkaException(message.error())
        return found

    async def commit(self, messages: list[Message]) -> None:
        """Tell Kafka that these need not be read again."""
        await asyncio.to_thread(self._commit, messages)

    def _commit(self, messages: list[Message]) -> None:
        # The last of each partition stands for those before it.
        last = {(message.topic(), message.partition()): message for message in messages}
        with self._busy:
            for message in last.values():
                if self._consumer is not None:
                    self._consumer.commit(message=message, asynchronous=False)

    async def close(self) -> None:
        """Leave the group, so that whoever comes next need not wait for this one to be missed."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._busy:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None


def text(message: Any) -> str | None:
    """Return a message's value as JSON can hold it: bytes that are no UTF-8 are shown, and not fatal."""
    value = message.value()
    return None if value is None else value.decode(errors="backslashreplace")
