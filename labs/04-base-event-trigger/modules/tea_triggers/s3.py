"""An event when a file is created, or changed, in a storage service that speaks S3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tea_triggers.memory import recall, remember

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# [trigger]
class NewObjectTrigger(BaseEventTrigger):
    """Fires once for all objects that are new since the last look.

    Args:
        bucket: Where to look.
        prefix: Only at keys that begin with it.
        aws_conn_id: Airflow's connection to the service.
        poll_seconds: Between two looks.
    """

    def __init__(self, bucket: str, prefix: str = "", aws_conn_id: str = "shop_s3", poll_seconds: float = 1) -> None:
        super().__init__()
        self.bucket = bucket
        self.prefix = prefix
        self.aws_conn_id = aws_conn_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments, as the table `trigger` keeps them."""
        names = ("bucket", "prefix", "aws_conn_id", "poll_seconds")
        return f"{__name__}.NewObjectTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, compare with what was there before, tell what is new, remember."""
        seen = await recall(self)
        async with await S3Hook(aws_conn_id=self.aws_conn_id).get_async_conn() as client:
            while True:
                there = await self.listing(client)
                new = sorted(key for key, tag in there.items() if seen.get(key) != tag)
                if new:
                    yield TriggerEvent({"bucket": self.bucket, "keys": new})
                if there != seen:
                    seen = there
                    await remember(self, seen)
                await asyncio.sleep(self.poll_seconds)

    async def listing(self, client: Any) -> dict[str, str]:
        """Return each key with its ETag, which changes when the content does."""
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return {entry["Key"]: entry["ETag"] async for page in pages for entry in page.get("Contents", ())}

    # [/trigger]
