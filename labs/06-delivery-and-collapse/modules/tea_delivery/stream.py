"""Orders from Kafka, at least once: an offset is committed when Airflow has the event, and not before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook
from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import reject_shared_stream_event
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def mark(file: str, text: str) -> None:
    """Leave word that a message is here: the only sign of it while nothing is committed. `lab chaos` waits for it."""
    if file:
        with Path(file).open("a", encoding="utf-8") as marks:
            marks.write(text + "\n")


class MarkedStream(KafkaSharedStreamTrigger):
    """The provider's trigger as it comes, with a mark for each message.

    Args:
        seen: The file for the marks.
        **kwargs: The provider's.
    """

    def __init__(self, *, seen: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen = seen

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.{type(self).__name__}", {**super().serialize()[1], "seen": self.seen}

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Tell every message."""
        async for value in shared_stream:
            text = value.decode(errors="backslashreplace")
            mark(self.seen, text)
            yield TriggerEvent(text)


# [reason]
def reason_against(text: str) -> str | None:
    """Return why a text is no order; None where it is one."""
    try:
        order = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    if not isinstance(order, dict) or "order" not in order:
        return "no field `order`"
    return None


# [/reason]


# [stream]
class OrderStream(MarkedStream):
    """Tells of orders; what is none goes to a topic for dead letters, with its reason.

    Args:
        dead_letters: The topic for what is no order.
        **kwargs: The provider's.
    """

    def __init__(self, *, dead_letters: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dead_letters = dead_letters

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        classpath, kwargs = super().serialize()
        return classpath, {**kwargs, "dead_letters": self.dead_letters}

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Tell an order; bury what is none, and only then refuse it: refused is committed, and never read again."""
        async for value in shared_stream:
            text = value.decode(errors="backslashreplace")
            mark(self.seen, text)
            if reason := reason_against(text):
                await sync_to_async(self.bury)(value, reason)
                reject_shared_stream_event()
            else:
                yield TriggerEvent(text)

    def bury(self, value: bytes, reason: str) -> None:
        """Write a dead letter; returns when Kafka has it.

        Raises:
            RuntimeError: Kafka does not take it. The message is then not refused, and comes again.
        """
        producer = KafkaProducerHook(kafka_config_id=self.kafka_config_id).get_producer()
        producer.produce(self.dead_letters, value=value, headers={"reason": reason.encode()})
        if producer.flush(10):
            message = f"the topic {self.dead_letters} does not take dead letters"
            raise RuntimeError(message)


# [/stream]
