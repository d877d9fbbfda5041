"""Waiting for a condition, for a bounded time: the one place that decides how."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import tenacity

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(condition: Callable[[], T], *, seconds: float, pause: float = 0.1) -> T:
    """Call a condition again and again until its answer is true, and return that answer.

    Args:
        condition: What to ask. What it raises is passed on.
        seconds: For how long.
        pause: Seconds between two questions.

    Raises:
        TimeoutError: The answer was never true.
    """
    wait = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(pause),
        retry=tenacity.retry_if_result(lambda answer: not answer),
    )
    try:
        return wait(condition)
    except tenacity.RetryError as error:
        raise TimeoutError from error


def quietly(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition holds, or some seconds; tells which."""
    try:
        return bool(until(condition, seconds=seconds, pause=0.2))
    except TimeoutError:
        return False
