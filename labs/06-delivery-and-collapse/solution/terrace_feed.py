"""Solution: orders from the terrace, as events; what is no order is refused.

The class lives in a file of its own, and not in the Dag's: the triggerer has to be able to import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamProducer, KafkaSharedStreamTrigger
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import reject_shared_stream_event
from tea_burst.careful import CarefulProducer, complaint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TerraceTrigger(KafkaSharedStreamTrigger):
    """Yields an event for each order."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        _, arguments = super().serialize()
        return f"{__name__}.TerraceTrigger", arguments

    # [filter]
    async def filter_shared_stream(
        self,
        shared_stream: AsyncIterator[Any],
    ) -> AsyncIterator[TriggerEvent]:
        """Tell orders from what is none."""
        async for value in shared_stream:
            if complaint(value):
                reject_shared_stream_event()
            else:
                yield TriggerEvent(value.decode())

    # [/filter]

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> KafkaSharedStreamProducer:
        """Return what reads the topic; what is refused it writes to the dead-letter topic, with the reason."""
        return CarefulProducer(**kwargs)
