"""Looks into the box of slips, the Kafka topic `slips`: how many are new, and what is on them.

Each way of scheduling has a connection of its own and so a consumer group of its own: all of them see every slip, and
Kafka keeps for each how far it has come.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from confluent_kafka import Consumer

TOPIC = "slips"
PATIENCE = 10.0
"""Seconds for the broker to answer."""


def _unread(consumer: Consumer) -> dict[TopicPartition, int]:
    """Return where this group reads on, and how many messages are there, for each partition of the topic."""
    partitions = consumer.list_topics(TOPIC, timeout=PATIENCE).topics[TOPIC].partitions
    unread = {}
    for done in consumer.committed([TopicPartition(TOPIC, number) for number in partitions], timeout=PATIENCE):
        oldest, end = consumer.get_watermark_offsets(done, timeout=PATIENCE)
        # A group that has never committed has a negative offset, and begins with the oldest message.
        begin = max(done.offset, oldest)
        unread[TopicPartition(TOPIC, done.partition, begin)] = end - begin
    return unread


def count_new(connection: str) -> int:
    """Return how many slips came since the connection's group last took some, and leave them there."""
    with closing(KafkaConsumerHook([TOPIC], connection).get_conn) as consumer:
        return sum(_unread(consumer).values())


def take_new(connection: str) -> list[dict[str, Any]]:
    """Return the slips that came since the connection's group last took some; an empty list was a look in vain.

    Raises:
        TimeoutError: The broker did not hand them all over.
    """
    with closing(KafkaConsumerHook([TOPIC], connection).get_conn) as consumer:
        unread = _unread(consumer)
        count = sum(unread.values())
        if not count:
            return []
        # Told where to read, the consumer need not join its group: there is one reader at a time (max_active_runs=1).
        consumer.assign(list(unread))
        messages = consumer.consume(count, timeout=PATIENCE)
        if len(messages) < count:
            msg = f"{len(messages)} of {count} slips came within {PATIENCE:.0f} s"
            raise TimeoutError(msg)
        consumer.commit(asynchronous=False)
        return [json.loads(message.value()) for message in messages]
