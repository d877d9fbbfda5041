"""Brokers: where events come from. One module a broker; each is prepared, started and spoken to in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  dataclass fields are read at run time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from labkit.stack.state import State
    from labkit.stack.supervisor import Program


@dataclass(frozen=True)
class Message:
    """A message that the broker has acknowledged.

    Attributes:
        topic: Where it was sent.
        value: Its text.
        partition: Where the broker put it.
        offset: Its place there.
        produced_at: The broker's time stamp, UTC.
    """

    topic: str
    value: str
    partition: int
    offset: int
    produced_at: datetime


class Broker(Protocol):
    """What a stack needs of a broker."""

    name: str

    def prepare(self, progress: Callable[[str, int, int], None]) -> None:
        """Fetch what the broker needs, once; checks what it got."""
        ...

    def program(self, state: State) -> Program:
        """Write what the broker needs into the stack's folder and return its process."""
        ...

    def create_topics(self, state: State, topics: Iterable[str]) -> None:
        """Wait until the broker answers and make the topics that are missing."""
        ...

    def healthy(self, state: State) -> bool:
        """Tell whether the broker answers a request now."""
        ...

    def publish(self, state: State, topic: str, values: Sequence[str]) -> list[Message]:
        """Send the values in order; returns when the broker has acknowledged all of them."""
        ...
