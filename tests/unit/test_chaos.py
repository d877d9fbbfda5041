"""What the chaos dial says of its cells, what it takes, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import chaos, config, i18n
from labkit.chaos import Cell
from labkit.errors import FAILED, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome as Told


def cell(fault: str = "kill", **changes: object) -> Cell:
    """Return a cell in which all is well, with some things changed."""
    usual = {"published": 3, "events": 3, "runs": 3, "failed": 0, "processed": 3, "lost": 0, "doubled": 0, "late": 1.0}
    return Cell("kafka", fault, **{**usual, **changes})  # type: ignore[arg-type]  # each test gives what fits


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (cell(), "ok"),
        (cell(lost=1), "1 lost"),
        (cell(doubled=2), "2 doubled"),
        (cell(lost=1, doubled=1), "1 lost, 1 doubled"),
        (cell("poison"), "vanished"),
        (cell("poison", failed=1), "failed run"),
        (cell("poison", failed=3), "loops"),
        (cell("poison", dead=("not JSON",)), "dead letter"),
        (cell("poison", failed=1, lost=1), "1 lost"),
    ],
)
def test_a_cell_is_told_in_a_word(one: Cell, word: str) -> None:
    assert one.word == word


def test_cells_come_back_as_they_were_written(tmp_path: Path) -> None:
    cells = [cell(late=None), cell("poison", dead=("not JSON", "no order_id"))]
    chaos.save(tmp_path / "new" / "cells.json", cells)
    assert chaos.load(tmp_path / "new" / "cells.json") == cells
    assert chaos.load(tmp_path / "none.json") == []


def test_every_fault_can_be_done_and_says_something_about_most_schemes() -> None:
    schemes = config.find_chaos().chaos
    for fault in chaos.FAULTS:
        assert hasattr(chaos._Turn, f"_{fault}")
        assert sum(chaos.applies(one, fault) for one in schemes) > len(schemes) / 2
    assert {one.kind for one in schemes} == set(config.CHAOS_KINDS)


def test_the_schemes_have_what_they_name() -> None:
    lab = config.find_chaos()
    places = {"kafka": lab.topics, "sqs": lab.queues, "redis": lab.channels}
    for one in lab.chaos:
        assert one.dag in lab.on_demand
        assert one.source in places.get(one.kind, (one.source,))
        assert not one.dead or one.dead in lab.topics
        if one.kind == "kafka":
            assert one.group in lab.connections
    assert len({one.dag for one in lab.chaos}) == len(lab.chaos)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("./lab chaos --all", "kafka", "freeze")),
        (("kafka",), ("./lab chaos --all", "freeze")),
        (("rabbit", "kill"), ("rabbit", "sqs-keep")),
        (("kafka", "tickle"), ("tickle", "scheduler")),
        (("file", "poison"), ("file", "poison")),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(
    arguments: tuple[str, ...], words: tuple[str, ...], language: str, lab: Callable[..., Told]
) -> None:
    told = lab("chaos", *arguments, "--lang", language)
    assert told.code == USAGE
    text = told.err.replace("\n", " ")
    assert all(word in text for word in words), text


def test_the_dial_needs_a_stack(lab: Callable[..., Told]) -> None:
    told = lab("chaos", "kafka", "kill")
    assert told.code == FAILED
    assert "./lab start" in told.err


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_dial_is_explained(language: str, lab: Callable[..., Told]) -> None:
    told = lab("chaos", "--help", "--lang", language)
    assert told.code == 0
    assert "--again" in told.out
