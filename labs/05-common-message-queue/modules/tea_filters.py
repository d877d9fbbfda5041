"""Functions that a Kafka trigger calls with each message, in the triggerer: it must be able to import them."""

from __future__ import annotations

import json
from typing import Any


# [apply]
def big_order(message: Any, least: int) -> dict[str, Any] | None:
    """Return the order if it is a big one; None lets the trigger go on to the next message."""
    order: dict[str, Any] = json.loads(message.value())
    return order if order["cups"] >= least else None


# [/apply]


def as_text(message: Any) -> str:
    """Return the message as it is."""
    text: str = message.value().decode()
    return text
