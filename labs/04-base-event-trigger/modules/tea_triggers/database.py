"""An event when PostgreSQL is updated: by notification, or by reading a table of what happened."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import asyncpg
from airflow.sdk import BaseHook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def connect(conn_id: str) -> asyncpg.Connection:
    """Open a connection of our own; a trigger waits on it for hours."""
    place = await BaseHook.aget_connection(conn_id)
    return await asyncpg.connect(
        host=place.host, port=place.port, user=place.login, password=place.password, database=place.schema
    )


# [listen]
class ListenTrigger(BaseEventTrigger):
    """Fires when somebody sends a `NOTIFY`; who is not listening at that moment never hears of it.

    Args:
        channel: The channel's name.
        conn_id: Airflow's connection to PostgreSQL.
    """

    def __init__(self, channel: str, conn_id: str = "shop_db") -> None:
        super().__init__()
        self.channel = channel
        self.conn_id = conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.ListenTrigger", {"channel": self.channel, "conn_id": self.conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait without asking: PostgreSQL calls, and all that has come by then goes into one event."""
        told: asyncio.Queue[str | None] = asyncio.Queue()
        connection = await connect(self.conn_id)
        try:
            await connection.add_listener(self.channel, lambda *arguments: told.put_nowait(arguments[-1]))
            # Without this, a connection that breaks would leave us waiting for ever, and nobody would know.
            connection.add_termination_listener(lambda _: told.put_nowait(None))
            while True:
                texts = [await told.get()]
                while not told.empty():
                    texts.append(told.get_nowait())
                rows = [json.loads(text) for text in texts if text is not None]
                if rows:
                    yield TriggerEvent({"rows": rows})
                if None in texts:
                    message = "PostgreSQL closed the connection"
                    raise ConnectionError(message)
        finally:
            await connection.close()

    # [/listen]


# [outbox]
class OutboxTrigger(BaseEventTrigger):
    """Fires for the rows that wait in the table `stock_outbox`, however long they have waited.

    Args:
        conn_id: Airflow's connection to PostgreSQL.
        poll_seconds: Between two looks.
    """

    # Not `id > last`: of two transactions, the one that took the lower id may commit last, and would be skipped.
    TAKE = "UPDATE stock_outbox SET taken_at = now() WHERE taken_at IS NULL RETURNING id, item, boxes"

    def __init__(self, conn_id: str = "shop_db", poll_seconds: float = 0.5) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        return f"{__name__}.OutboxTrigger", {"conn_id": self.conn_id, "poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Take what is there in one go, tell it, look again."""
        connection = await connect(self.conn_id)
        try:
            while True:
                rows = [dict(row) for row in await connection.fetch(self.TAKE)]
                if rows:
                    yield TriggerEvent({"rows": sorted(rows, key=lambda row: row["id"])})
                await asyncio.sleep(self.poll_seconds)
        finally:
            await connection.close()

    # [/outbox]
