"""Stacks: what runs. `local` starts processes, `compose` starts containers. Both answer to `Stack`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from labkit.airflow.metadata import Metadata
    from labkit.brokers import Broker
    from labkit.config import Lab
    from labkit.stack.state import State

PartState = Literal["running", "starting", "stopped", "failed"]


@dataclass(frozen=True)
class Part:
    """One process or container of a stack, as `status` shows it.

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
    """What every lane can do. The commands and the notebooks know only this."""

    state: State
    broker: Broker

    @property
    def alive(self) -> bool:
        """Whether what keeps the stack answers."""
        ...

    def part_names(self) -> list[str]:
        """Return the names of all parts, in the order in which an event meets them."""
        ...

    def always_on(self) -> list[str]:
        """Return the names of the parts that run as long as the stack does."""
        ...

    def check_part(self, name: str) -> None:
        """Raise a usage error for a part that does not exist."""
        ...

    def parts(self) -> list[Part]:
        """Return every part with its health; those that run on demand only when they run."""
        ...

    def log(self, part: str) -> Iterator[str]:
        """Yield the lines that a part has written so far."""
        ...

    def trigger_log(self) -> Iterator[str]:
        """Yield the lines that the triggerers have written so far: any of them may have run a watcher."""
        ...

    def follow(self, part: str) -> Iterator[str]:
        """Yield the lines that a part writes from now on, until interrupted."""
        ...

    def start_part(self, name: str) -> None:
        """Start a part; harmless where it runs."""
        ...

    def stop_part(self, part: str) -> None:
        """Stop a part, which stays so until it is started again."""
        ...

    def restart(self, part: str) -> None:
        """Stop a part and start it again; returns when it runs."""
        ...

    def load(self, labs: Sequence[Lab]) -> None:
        """Have the Dags of more labs; returns when they have been parsed."""
        ...

    def serve(self, name: str) -> None:
        """Start a server that runs on demand, and wait until it answers. Harmless where it runs already."""
        ...

    def add_triggerer(self) -> None:
        """Start the second triggerer, and wait until Airflow counts on it. Harmless where it runs already."""
        ...

    def scale(self, wanted: Mapping[str, int]) -> None:
        """Have so many of each part that is named; harmless where there are. `scale.MOST` has what can be asked for."""
        ...

    def set_capacity(self, most: int | None) -> None:
        """Let each triggerer run so many triggers, None for Airflow's default; those that run start anew for it."""
        ...

    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, as the metadata database knows them."""
        ...

    def kill(self, part: str, *, for_good: bool = False) -> None:
        """End a part without warning; it comes back, but for good."""
        ...

    def freeze(self, part: str) -> AbstractContextManager[None]:
        """Keep a part still, wherever it is at the moment, for as long as the block runs."""
        ...

    def hold(self, part: str) -> AbstractContextManager[None]:
        """Keep a part still between two transactions, for as long as the block runs."""
        ...

    def failing(self) -> tuple[str, str] | None:
        """Return the first part that keeps dying, with the end of its log, or None."""
        ...

    def metadata(self) -> Metadata:
        """Return the reader of the metadata database."""
        ...

    def notebook_token(self) -> str:
        """Return what opens JupyterLab."""
        ...

    def count(self) -> int:
        """Return how much of it there is: processes, and containers."""
        ...

    def stop(self) -> None:
        """End all of the stack and remove every file of it. Safe to call again."""
        ...
