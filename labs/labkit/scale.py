"""How many of a part there are to be, as people write it: `--scale triggerer=2,worker=3`; and what each is called.

Which parts there can be more of depends on the lane, and so does how many: `MOST` is the one place that says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labkit.errors import usage_error
from labkit.i18n import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Mapping[str, Mapping[str, int]] = {
    "local": {"triggerer": 2},
    "compose": {"triggerer": 4, "scheduler": 3, "worker": 6},
}
"""Lane → part → how many at most: a laptop has to carry them all, and two triggerers show what three would."""
WORKER = "worker"
"""The part that runs tasks where the scheduler does not; there is none where nobody asks for it."""
WITH_WORKERS: Mapping[str, int] = {"triggerer": 2, "scheduler": 2}
"""What comes with workers where nobody says how many: tasks that survive a worker had better survive a scheduler."""


def parse(text: str | None, lane: str) -> dict[str, int]:
    """Return how many of which part are asked for; nothing where nothing is.

    Args:
        text: `PART=N`, or several of them with commas in between.
        lane: `local` or `compose`.

    Raises:
        LabError: It is not written so, or this lane has no such part or not so many of it.
    """
    wanted: dict[str, int] = {}
    for word in text.split(",") if text is not None else ():
        part, number = _pair(word)
        most = _most(part, lane)
        if part in wanted:
            raise usage_error("scale.twice", part=part)
        if not 1 <= number <= most:
            raise usage_error("scale.range", part=part, most=most, number=number)
        wanted[part] = number
    return wanted


def complete(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return what is asked for, with what comes along."""
    return {**(WITH_WORKERS if WORKER in wanted else {}), **wanted}


def names(part: str, count: int) -> list[str]:
    """Return what so many of a part are called: the first as if it were the only one."""
    return [part if number == 1 else f"{part}-{number}" for number in range(1, count + 1)]


def split(name: str) -> tuple[str, int]:
    """Return which part something is one of, and the how many-th."""
    part, _, number = name.rpartition("-")
    return (part, int(number)) if number.isdecimal() else (name, 1)


def _pair(word: str) -> tuple[str, int]:
    found = re.fullmatch(r"\s*([a-z][a-z-]*)\s*=\s*([0-9]{1,6})\s*", word)
    if found is None:
        raise usage_error("scale.form", word=word.strip())
    return found[1], int(found[2])


def _most(part: str, lane: str) -> int:
    here = MOST[lane]
    if part not in here:
        elsewhere = any(part in parts for parts in MOST.values())
        only = "scale.only_local" if lane == "compose" else "scale.only_compose"
        raise usage_error(only if elsewhere else "scale.unknown", part=part, known=listed(here))
    return here[part]
