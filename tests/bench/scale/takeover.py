"""How long watchers are without a triggerer when theirs ends: asked to, killed beside another, killed alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from labkit.stack import owned
from labkit.stack.lane import SECOND_TRIGGERER
from labkit.waiting import until

if TYPE_CHECKING:
    from tests.bench.scale.bed import Bed

FIRST = "triggerer"
PATIENCE = 90.0
"""Seconds; Airflow takes a triggerer for dead after 30 (`triggerer_health_check_threshold`)."""
WATCHERS = 10


def takeover(bed: Bed) -> dict[str, float]:
    """Return the seconds until all watchers have another triggerer.

    `stopped`: the first one is asked to end, another runs. `killed`: the same with SIGKILL. `alone`: SIGKILL, there is
    no other, and supervisord starts it again.
    """
    stack = bed.stack
    found = {}
    with bed.idle("file", WATCHERS, 1):
        stack.add_triggerer()
        before = _owners(bed)
        began = time.monotonic()
        stack.stop_part(FIRST)
        found["stopped"] = _taken(bed, before, began)
        stack.start_airflow(FIRST)
        until(lambda: len(bed.metadata.triggerers()) > 1, seconds=PATIENCE)
        # Now the second one has them, and the first is the other.
        before = _owners(bed)
        began = time.monotonic()
        owned.kill(stack.family(SECOND_TRIGGERER))
        stack.stop_part(SECOND_TRIGGERER)  # what keeps it would start it again
        found["killed"] = _taken(bed, before, began)
        before = _owners(bed)
        began = time.monotonic()
        owned.kill(stack.family(FIRST))
        found["alone"] = _taken(bed, before, began)
    return found


def _owners(bed: Bed) -> set[int | None]:
    return {row.triggerer for row in bed.metadata.watchers()}


def _taken(bed: Bed, before: set[int | None], began: float) -> float:
    """Wait until other triggerers have all watchers; returns the seconds since it began."""
    until(lambda: not _owners(bed) & {*before, None}, seconds=PATIENCE)
    return round(time.monotonic() - began, 1)
