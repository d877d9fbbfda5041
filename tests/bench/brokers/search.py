"""Looks for the highest rate that holds, by halving an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Limit:
    """What a search found.

    Attributes:
        rate: The highest rate that held, events a second; None where not even the lowest did.
        at_least: Whether the highest rate that may be tried held: the limit is there or above.
    """

    rate: float | None
    at_least: bool


def highest(holds: Callable[[float], bool], low: float, high: float, steps: int, *, top: bool = True) -> Limit:
    """Return the highest rate found to hold.

    It is assumed that what holds at a rate holds at all lower ones. The middle of what is left is tried `steps` times,
    so that the answer is within `(high - low) / 2 ** steps` of the limit. Where no middle held, `low` is tried as well.

    Args:
        holds: Whether a rate holds.
        low: The lowest rate worth knowing.
        high: The highest rate that may be tried.
        steps: How often to halve.
        top: Try `high` first, which ends the search if it holds; not worth it where it is known to be too much.
    """
    if top and holds(high):
        return Limit(high, at_least=True)
    best, bottom, roof = None, low, high
    for _ in range(steps):
        middle = (bottom + roof) / 2
        if holds(middle):
            best = bottom = middle
        else:
            roof = middle
    if best is None and holds(low):
        best = low
    return Limit(best, at_least=False)
