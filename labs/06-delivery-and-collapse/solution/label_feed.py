"""Solution: messages on the topic `labels`, as events: one for all that are there.

The class lives in a file of its own, and not in the Dag's: the triggerer has to be able to import it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from tea_burst.feed import Feed, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GAP = 2.0
"""Seconds between two events: more than the scheduler needs for a look."""


class LabelTrigger(BaseEventTrigger):
    """Fires for the labels that wait to be printed."""

    def __init__(self) -> None:
        super().__init__()
        self._feed = Feed(["labels"], "kafka_labels")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.LabelTrigger", {}

    # [run]
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take all there is, tell it in one event, and pause."""
        await self._feed.open()
        while True:
            messages = await self._feed.take(most=500, patience=0.5)
            if messages:
                yield TriggerEvent([text(message) for message in messages])
                await asyncio.sleep(GAP)
                await self._feed.commit(messages)

    # [/run]

    async def cleanup(self) -> None:
        """Leave the consumer group."""
        await self._feed.close()
