"""When messages arrive: the same random times for the same seed, so that a measurement can be repeated."""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def poisson(count: int, rate: float, seed: int | None) -> list[float]:
    """Return when `count` messages arrive, in seconds after the first.

    Args:
        count: How many.
        rate: How many a second, on average.
        seed: Arrivals come at random, as real ones do (a Poisson stream), and this number repeats them; None for
            arrivals like a clock's.
    """
    if seed is None:
        return [position / rate for position in range(count)]
    chance = random.Random(seed)  # noqa: S311  a reproducible stream, not a secret
    return [0.0, *itertools.accumulate(chance.expovariate(rate) for _ in range(count - 1))]


def paced(offsets: Iterable[float]) -> Iterator[int]:
    """Yield the number of each arrival when it is due, counted from 0; whoever is late does not make the next late."""
    began = time.monotonic()
    for position, offset in enumerate(offsets):
        time.sleep(max(0.0, began + offset - time.monotonic()))
        yield position
