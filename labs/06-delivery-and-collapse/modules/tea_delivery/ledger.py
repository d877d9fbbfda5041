"""The shop's ledger in PostgreSQL: a line for each time an order was handled."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import psycopg2
from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from collections.abc import Iterable


def connect() -> Any:
    """Open the shop's database."""
    place = BaseHook.get_connection("delivery_db")
    return psycopg2.connect(host=place.host, user=place.login, dbname=place.schema)


def orders_in(payload: Any) -> list[str]:
    """Return the orders of a payload, whatever source it is from.

    Raises:
        ValueError: One of them is no order.
    """
    match payload:
        case True:  # a file: it was there, and that is all there is to know
            return ["a file"]
        case {"message_batch": list(messages)}:  # SQS
            texts = [message["Body"] for message in messages]
        case {"channel": _, "data": text}:  # Redis
            texts = [text]
        case list(texts):  # a batch of ours
            pass
        case _:
            texts = [payload]
    return [json.loads(text)["order"] for text in texts]


# [naive]
def write(dag: str, orders: Iterable[str]) -> None:
    """Add a line for each order, whether it has one or not."""
    with contextlib.closing(connect()) as database, database, database.cursor() as cursor:
        for order in orders:
            cursor.execute("INSERT INTO ledger (dag, order_key) VALUES (%s, %s)", (dag, order))


# [/naive]


# [once]
def write_once(dag: str, orders: Iterable[str]) -> None:
    """Add a line for each order that has none: key and line in one transaction, so that both are there or neither."""
    with contextlib.closing(connect()) as database, database, database.cursor() as cursor:
        for order in orders:
            new = "INSERT INTO handled (dag, order_key) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            cursor.execute(new, (dag, order))
            if cursor.rowcount:
                cursor.execute("INSERT INTO ledger (dag, order_key) VALUES (%s, %s)", (dag, order))


# [/once]
