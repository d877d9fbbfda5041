"""Charts of measured things: SVG, the same for the same numbers, with their words in them as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import drawing
from labkit.drawing import Drawing, Span

if TYPE_CHECKING:
    from collections.abc import Callable


def test_kinds_keep_their_colours_from_chart_to_chart() -> None:
    def has(*spans: Span) -> list[bool]:
        text = drawing.gantt(spans, kinds=["waits", "works"]).svg()
        return [colour in text for colour in drawing.COLOURS[:2]]

    waits, works = Span("run 1", 0, 2, "waits"), Span("run 1", 2, 3, "works")
    assert has(works, waits) == [True, True]
    assert has(works) == [False, True], "its colour is the second one, even alone"
    assert has(waits) == [True, False]


def gantt() -> Drawing:
    return drawing.gantt([Span("run 1", 0, 2, "waits"), Span("run 2", 1, 2.5, "works")], marks=[0, 1])


def dots() -> Drawing:
    return drawing.dots({"cron": [10, 20, 31], "watcher": [0.5, 0.7], "nothing": []}, logarithmic=True)


def levels() -> Drawing:
    return drawing.levels({"sensor": [(0, 1), (5, 0)], "deferrable": [(0, 0), (3, 1), (5, 0)]}, what="slots")


def bars() -> Drawing:
    parts = {f"table {number}": 10.0 - number for number in range(9)}
    return drawing.bars({"sensor": parts, "watcher": {"table 0": 3}, "nothing": {}}, unit="rows")


def pairs() -> Drawing:
    return drawing.pairs({"quick": {"3.3": 1, "3.4": 5}, "batched": {"3.4": 2}}, unit="runs")


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (gantt, ["run 1", "run 2", "waits", "works"]),
        (dots, ["cron", "watcher", "nothing", "20 s", "0.60 s"]),
        (levels, ["sensor", "deferrable", "slots"]),
        (bars, ["sensor", "watcher", "nothing", "table 0", "other", "rows", " 54", " 3", " 0"]),
        (pairs, ["quick", "batched", "3.3", "3.4", "runs", " 1", " 5", " 2"]),
    ],
    ids=["gantt", "dots", "levels", "bars", "pairs"],
)
def test_a_chart_is_svg_with_its_words_as_text_and_repeats_itself(
    draw: Callable[[], Drawing], words: list[str]
) -> None:
    svg = draw()._repr_svg_()
    assert "<svg" in svg
    for word in words:
        assert f">{word}</text>" in svg, word
    assert svg == draw()._repr_svg_()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (gantt, ["run 1: waits 0 to 2 s", "run 2: works 1 to 2.5 s"]),
        (
            dots,
            [
                "cron: 3 values, median 20 s, from 10 to 31",
                "watcher: 2 values, median 0.6 s, from 0.5 to 0.7",
                "nothing: none",
            ],
        ),
        (levels, ["sensor: slots from 0 to 1", "deferrable: slots from 0 to 1"]),
        (pairs, ["quick: 3.3 = 1, 3.4 = 5 (runs)", "batched: 3.4 = 2 (runs)"]),
    ],
    ids=["gantt", "dots", "levels", "pairs"],
)
def test_a_chart_says_in_words_what_it_shows(draw: Callable[[], Drawing], told: list[str]) -> None:
    assert repr(draw()).splitlines() == told
    assert f'role="img" aria-label="{"; ".join(told)}"' in draw()._repr_svg_()


def test_words_that_mean_something_to_svg_are_safe_in_it() -> None:
    svg = drawing.pairs({'a "b" & <c>': {"x": 1}}, unit="runs")._repr_svg_()
    assert 'aria-label="a &quot;b&quot; &amp; &lt;c&gt;: x = 1 (runs)"' in svg
