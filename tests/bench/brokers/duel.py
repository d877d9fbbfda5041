"""Batch per poll beside single-shot: both are sent the same load of messages at the same moment."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from labkit.waiting import until
from tests.bench.brokers.trial import TICK, Follower
from tests.bench.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.brokers.bed import Bed
    from tests.bench.brokers.contenders import Contender

PATIENCE = 120.0
"""Seconds until the batches are given up."""
TIMES = 20
"""By how much, at least, the batches have to be quicker."""


def fight(
    bench: Bed, batch: Contender, single: Contender, messages: int, seconds: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Return what both made of the same messages.

    What counts is what runs that succeeded were given: by the end of the last batch's run, or after `seconds` if that
    is later, so that a few turns of the slow one are seen. Messages of the slow one that are still in the topic then
    are skipped.
    """
    with bench.awake(batch, single):
        followers, sources, wanted = {}, {}, {}
        for one in (batch, single):
            sources[one.name] = bench.source(one)
            wanted[one.name] = {bench.number(): 0.0 for _ in range(messages)}
            followers[one.name] = Follower(bench.metadata, one.dag, one.assets, sources[one.name])
        began = time.time()
        for one in (batch, single):
            for number in wanted[one.name]:
                sources[one.name].send(number)
        for source in sources.values():
            source.finish()
        sent = time.time()
        quick, slow = followers[batch.name], followers[single.name]

        def over() -> bool:
            for name, follower in followers.items():
                follower.look(wanted[name])
            tell(f"batch {len(quick.begun)}, single-shot {len(slow.begun)}, of {messages}")
            return quick.done(wanted[batch.name]) and time.time() - began >= seconds

        with contextlib.suppress(TimeoutError):
            until(over, seconds=PATIENCE, pause=TICK)
        watched = time.time() - began
    took = max(quick.ended.values(), default=time.time()) - began
    rates = {batch.name: len(quick.begun) / took, single.name: len(slow.begun) / watched}
    return {
        "messages": messages,
        "sending_seconds": round(sent - began, 2),
        "batch": {
            "processed": len(quick.begun),
            "lost": messages - len(quick.begun),
            "doubled": quick.doubled,
            "counted": sum(quick.counts.values()),
            "events": quick.events,
            "runs": len(quick.counts),
            "seconds": round(took, 2),
            "rate": round(rates[batch.name], 1),
        },
        "single": {
            "processed": len(slow.begun),
            "runs": len(slow.counts),
            "seconds": round(watched, 2),
            "rate": round(rates[single.name], 3),
        },
        "times": round(rates[batch.name] / rates[single.name], 1) if rates[single.name] else None,
    }


def figures(told: dict[str, Any]) -> Iterator[Figure]:
    """Yield what has a bound: none lost, none counted twice by the tasks, and how much quicker."""
    yield Figure(f"batch per poll: lost of {told['messages']:,}", told["batch"]["lost"], "", 0)
    yield Figure("batch per poll: counted by tasks / sent", told["batch"]["counted"] / told["messages"], "", 1)
    yield Figure("batch per poll / single-shot", told["times"] or 0, "times", TIMES, at_most=False)
