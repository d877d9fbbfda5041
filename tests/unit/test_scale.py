"""`--scale`: how people write how many of a part there are to be, and what they are told who write it wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import i18n, scale
from labkit.errors import USAGE, LabError
from labkit.stack.local import LocalStack
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path

LANES = tuple(scale.MOST)


@pytest.mark.parametrize("lane", LANES)
def test_nothing_asked_for_is_nothing_to_do(lane: str) -> None:
    assert scale.parse(None, lane) == {}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("text", ["triggerer=2", " triggerer = 2 ", "triggerer=02"])
def test_a_part_and_a_number_are_read_with_blanks_and_without(text: str, lane: str) -> None:
    assert scale.parse(text, lane) == {"triggerer": 2}


def test_several_parts_come_with_commas_in_between() -> None:
    assert scale.parse("worker=3, triggerer=1", "compose") == {"worker": 3, "triggerer": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "scale.form"),
        ("2", "scale.form"),
        ("triggerer", "scale.form"),
        ("triggerer:2", "scale.form"),
        ("triggerer=two", "scale.form"),
        ("triggerer=-1", "scale.form"),
        ("triggerer=1.5", "scale.form"),
        ("triggerer=2,", "scale.form"),
        ("triggerer=²", "scale.form"),
        ("triggerer=1,triggerer=2", "scale.twice"),
        ("triggerer=0", "scale.range"),
        ("triggerer=9", "scale.range"),
        ("postgres=2", "scale.unknown"),
    ],
)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("lane", LANES)
def test_what_cannot_be_meant_is_refused_and_named(text: str, message: str, language: i18n.Language, lane: str) -> None:
    i18n.use(language)
    with pytest.raises(LabError) as refused:
        scale.parse(text, lane)
    assert (refused.value.key, refused.value.exit_code) == (message, USAGE)
    assert text.partition("=")[0] in str(refused.value)


@pytest.mark.parametrize(("lane", "message"), [("local", "scale.only_compose"), ("compose", "scale.only_local")])
def test_a_part_of_the_other_lane_is_refused_with_the_way_there(
    lane: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(one for one in LANES if one != lane)
    monkeypatch.setattr(scale, "MOST", {lane: {"triggerer": 2}, other: {"worker": 4}})
    with pytest.raises(LabError) as refused:
        scale.parse("worker=2", lane)
    assert refused.value.key == message
    assert "triggerer" in str(refused.value), "what there is instead"


@pytest.mark.parametrize(
    ("wanted", "done"),
    [
        ({"triggerer": 1}, ["start triggerer", "stop triggerer-2"]),
        ({"triggerer": 2}, ["start triggerer", "add"]),
        ({}, []),
    ],
)
def test_an_experiment_may_have_ended_the_first_triggerer_and_it_is_one_of_those_asked_for(
    wanted: dict[str, int], done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    stack = LocalStack(State("x", str(tmp_path), broker="kafka-mock"))
    monkeypatch.setattr(stack, "start_part", lambda name: said.append(f"start {name}"))
    monkeypatch.setattr(stack, "stop_part", lambda name: said.append(f"stop {name}"))
    monkeypatch.setattr(stack, "add_triggerer", lambda: said.append("add"))
    stack.scale(wanted)
    assert said == done
