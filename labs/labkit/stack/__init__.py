"""Stacks: what runs. `local` starts processes; `compose` will start containers. Both answer to `Stack`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.stack.state import State

PartState = Literal["running", "starting", "stopped", "failed"]


@dataclass(frozen=True)
class Part:
    """One process of a stack, as `status` shows it.

    Attributes:
        name: What `logs` and faults call it.
        state: Whether its process lives.
        healthy: What the part itself says: a heartbeat in the metadata database, an answer to a request.
        pid: Its process, where it has one.
        restarts: How often it came back by itself.
        port: Where it listens, where it does.
        memory: Bytes, pages shared with others counted in proportion (PSS) where the system tells, else resident.
        note: What else there is to say, already in the user's language.
    """

    name: str
    state: PartState
    healthy: bool
    pid: int | None = None
    restarts: int = 0
    port: int | None = None
    memory: int = 0
    note: str = ""


class Stack(Protocol):
    """What every lane can do. The commands know only this."""

    state: State

    def parts(self) -> list[Part]:
        """Return every process with its health."""
        ...

    def log(self, part: str) -> Iterator[str]:
        """Yield the lines that a part has written so far."""
        ...

    def follow(self, part: str) -> Iterator[str]:
        """Yield the lines that a part writes from now on, until interrupted."""
        ...

    def restart(self, part: str) -> None:
        """Stop a part and start it again; returns when it runs."""
        ...

    def stop(self) -> None:
        """End every process of the stack and remove every file of it. Safe to call again."""
        ...
