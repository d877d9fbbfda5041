"""Charts of measured things: SVG, the same for the same numbers, with their words in them as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import drawing
from labkit.drawing import Drawing, Span

if TYPE_CHECKING:
    from collections.abc import Callable


def gantt() -> Drawing:
    return drawing.gantt([Span("run 1", 0, 2, "waits"), Span("run 2", 1, 2.5, "works")], marks=[0, 1])


def dots() -> Drawing:
    return drawing.dots({"cron": [10, 20, 31], "watcher": [0.5, 0.7], "nothing": []}, logarithmic=True)


def levels() -> Drawing:
    return drawing.levels({"sensor": [(0, 1), (5, 0)], "deferrable": [(0, 0), (3, 1), (5, 0)]}, what="slots")


def bars() -> Drawing:
    parts = {f"table {number}": 10.0 - number for number in range(9)}
    return drawing.bars({"sensor": parts, "watcher": {"table 0": 3}, "nothing": {}}, unit="rows")


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (gantt, ["run 1", "run 2", "waits", "works"]),
        (dots, ["cron", "watcher", "nothing", "20 s", "0.60 s"]),
        (levels, ["sensor", "deferrable", "slots"]),
        (bars, ["sensor", "watcher", "nothing", "table 0", "other", "rows", " 54", " 3", " 0"]),
    ],
    ids=["gantt", "dots", "levels", "bars"],
)
def test_a_chart_is_svg_with_its_words_as_text_and_repeats_itself(
    draw: Callable[[], Drawing], words: list[str]
) -> None:
    svg = draw()._repr_svg_()
    assert "<svg" in svg
    for word in words:
        assert f">{word}</text>" in svg, word
    assert svg == draw()._repr_svg_()
