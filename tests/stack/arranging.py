"""Tests of a stack in an order in which those that share a running one come one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOCKETS = "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
"""supervisor's XML-RPC transport and Docker's SDK leave their sockets to the garbage collector."""


def arrange(items: list[pytest.Item], folder: Path, order: Sequence[str]) -> None:
    """Mark the tests of a folder, and put them in order; all others stay where they are.

    Args:
        items: All tests; changed in place.
        folder: Whose tests.
        order: Its files, without `test_`; one that is missing here is an error.
    """
    ours = [item for item in items if item.path.is_relative_to(folder)]
    for item in ours:
        item.add_marker("stack")
        item.add_marker(pytest.mark.filterwarnings(SOCKETS))
    ranked = sorted(ours, key=lambda item: (order.index(item.path.stem.removeprefix("test_")), _line(item)))
    places = [position for position, item in enumerate(items) if item in ours]
    for position, item in zip(places, ranked, strict=True):
        items[position] = item


def _line(item: pytest.Item) -> int:
    """Return where an imported test stands in its own file: it may rely on those above it. Else 0."""
    assert isinstance(item, pytest.Function)
    return item.function.__code__.co_firstlineno if item.function.__module__ != item.module.__name__ else 0
