"""What was served, written down in the shop's own database, for `./lab chaos` to count."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from airflow.providers.postgres.hooks.postgres import PostgresHook

if TYPE_CHECKING:
    from collections.abc import Iterable


# [ledger]
def write_down(texts: Iterable[str], table: str) -> None:
    """Serve orders, all or none of them; one that comes twice is served twice.

    Args:
        texts: The messages.
        table: Where to write it; it is made where it is missing.
    """
    with closing(PostgresHook("delivery_shop").get_conn()) as shop, shop, shop.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} "
            "(order_id text NOT NULL, served_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        for text in texts:
            order = json.loads(text)["order_id"]
            cursor.execute(f"INSERT INTO {table} (order_id) VALUES (%s)", [order])  # noqa: S608  our own name


# [/ledger]
