"""What all racers of lab 02 share: how a message becomes an order, and what handling an order means."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SECONDS = 0.2
"""How long it takes to handle one order."""


def read(message: Any) -> dict[str, Any]:
    """Return the order in a Kafka message. `apply_function` names this one, and the triggerer imports it."""
    order: dict[str, Any] = json.loads(message.value())
    return order


def handle(orders: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Handle orders one after the other and note for each when its work began and ended (Unix time)."""
    notes = []
    for order in orders:
        began = time.time()
        time.sleep(SECONDS)  # stands for the work: boil water, write a row, call somebody
        notes.append({"order_id": order["order_id"], "began": began, "ended": time.time()})
    return notes
