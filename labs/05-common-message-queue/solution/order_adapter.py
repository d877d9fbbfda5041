"""Solution: the payloads of all brokers, made equal."""

from __future__ import annotations

import json
from typing import Any


# [adapter]
def orders_in(payload: Any) -> list[dict[str, Any]]:
    """Return the orders that a payload brings, as dictionaries.

    Args:
        payload: `event.extra["payload"]` of any of the four sources.

    Raises:
        ValueError: It has a shape that this function does not know.
    """
    match payload:
        case str():  # Kafka: the message's text
            texts = [payload]
        case {"message_batch": list(messages)}:  # SQS: several at once
            texts = [message["Body"] for message in messages]
        case {"channel": _, "data": text}:  # Redis: who said it, and what
            texts = [text]
        case True:  # a file: it was there, and that is all we know
            texts = []
        case _:
            raise ValueError(f"a payload of a shape that nobody told us of: {payload!r}")
    return [json.loads(text) for text in texts]


# [/adapter]
