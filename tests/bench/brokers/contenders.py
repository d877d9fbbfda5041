"""What is measured: a scheme and a pattern each, with the Dag that has its watcher and the source of its events."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003  dataclass fields are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.brokers import sources
from tests.bench.brokers.sources import Source  # noqa: TC001  dataclass fields are read at run time

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.stack.state import State

FLAGS = [f"flag-{number}" for number in range(8)]


@dataclass(frozen=True)
class Contender:
    """A scheme and a pattern.

    Attributes:
        name: What it is called on the command line and in the record.
        scheme: Where the events come from.
        pattern: `single-shot` (returns after each event and is started again), `batch` (stays, and puts all that is
            there into one event), `shared stream`, `one file`, `flag files`.
        dag: The Dag; its watched asset has the same name, or one that begins with it.
        source: Makes a source, of a stack and the folder of the bench's lab.
        backlog: How many events are sent at once to learn how quickly they are taken out; 0 where the source keeps
            nothing, so that events can be lost.
        highest: No higher rate is tried, events a second.
        parts: Of the stack, beyond those that always run.
    """

    name: str
    scheme: str
    pattern: str
    dag: str
    source: Callable[[State, Path], Source]
    backlog: int
    highest: float
    parts: tuple[str, ...] = ()

    @property
    def assets(self) -> tuple[str, ...]:
        """The watched assets: one, or one for each flag file."""
        return tuple(f"{self.dag}_{flag}" for flag in FLAGS) if self.pattern == "flag files" else (self.dag,)

    @property
    def keeps(self) -> bool:
        """Whether the source keeps events until they are taken."""
        return bool(self.backlog)


def _kafka(name: str, pattern: str, backlog: int, highest: float) -> Contender:
    dag = f"bench_{name.replace('-', '_')}"
    return Contender(name, "kafka", pattern, dag, lambda state, _: sources.Kafka(state, dag), backlog, highest)


def _sqs(name: str, pattern: str, backlog: int) -> Contender:
    dag = f"bench_{name.replace('-', '_')}"
    return Contender(name, "sqs", pattern, dag, lambda state, _: sources.Sqs(state, dag), backlog, 100, ("aws",))


SINGLE = _kafka("kafka-single", "single-shot", 8, 2)
BATCH = _kafka("kafka-batch", "batch", 4000, 1500)

CONTENDERS = (
    SINGLE,
    BATCH,
    _kafka("kafka-shared", "shared stream", 300, 200),
    _sqs("sqs-single", "single-shot", 60),
    _sqs("sqs-batches", "single-shot", 400),
    Contender(
        "redis", "redis+pubsub", "single-shot", "bench_redis",
        lambda state, _: sources.Redis(state, "bench_redis"), 0, 1, ("redis",),
    ),
    Contender(
        "file", "file", "one file", "bench_file",
        lambda _, folder: sources.Files(folder / "drop", ["file"]), 0, 1,
    ),
    Contender(
        "directory", "directory", "flag files", "bench_directory",
        lambda _, folder: sources.Files(folder / "drop" / "flags", FLAGS), 0, 8,
    ),
    Contender("outbox", "outbox", "batch", "bench_outbox", lambda state, _: sources.Outbox(state), 2000, 1000),
)  # fmt: skip
