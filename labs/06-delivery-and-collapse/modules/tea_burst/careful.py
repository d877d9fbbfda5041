"""At least once, and nothing that cannot be used: what is refused goes to a dead-letter topic, with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook
from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamProducer, KafkaSharedStreamTrigger
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import reject_shared_stream_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.providers.apache.kafka.triggers.shared_stream import KafkaBrokerPayload


# [complaint]
def complaint(value: bytes | None) -> str | None:
    """Return why a message cannot be used, None where it can."""
    if value is None:
        return "no value"
    try:
        order = json.loads(value.decode())
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}"
    if not isinstance(order, dict) or not order.get("order_id"):
        return "no order_id"
    return None


# [/complaint]


# [trigger]
class CarefulTrigger(KafkaSharedStreamTrigger):
    """Yields an event a message, and refuses those that cannot be used.

    Kafka's offset is committed when the event is in Airflow's database,
    or the message on the dead-letter topic.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        _, arguments = super().serialize()
        return f"{__name__}.CarefulTrigger", arguments

    async def filter_shared_stream(
        self,
        shared_stream: AsyncIterator[Any],
    ) -> AsyncIterator[TriggerEvent]:
        """Tell good messages from bad ones."""
        async for value in shared_stream:
            if complaint(value):
                reject_shared_stream_event()
            else:
                yield TriggerEvent(value.decode())

    @classmethod
    def create_shared_stream_producer(
        cls,
        kwargs: dict[str, Any],
    ) -> KafkaSharedStreamProducer:
        """Return what reads the topic for all triggers that share it."""
        return CarefulProducer(**kwargs)


# [/trigger]


# [producer]
class CarefulProducer(KafkaSharedStreamProducer):
    """Writes beside a dead letter why it is one, and where it came from.

    The provider's own (2.1.0) re-sends key and value alone, and does not
    ask whether the broker took them. The method is private to the provider:
    look at it again with each of its releases.
    """

    def _send_to_dlq(
        self,
        topic: str,
        payloads: list[KafkaBrokerPayload],
    ) -> None:
        if self._dlq_producer is None:
            hook = KafkaProducerHook(kafka_config_id=self.kafka_config_id)
            self._dlq_producer = hook.get_producer()
        refused: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            del message
            if error is not None:
                refused.append(str(error))

        for one in payloads:
            headers = {
                "reason": complaint(one.value) or "",
                "topic": one.topic,
                "partition": str(one.partition),
                "offset": str(one.offset),
            }
            self._dlq_producer.produce(
                topic,
                value=one.value,
                key=one.key,
                headers=headers,
                on_delivery=delivered,
            )
        self._dlq_producer.flush()
        if refused:  # no offset is committed; the message comes again
            message = f"{topic} did not take {len(refused)}: {refused[0]}"
            raise RuntimeError(message)


# [/producer]
