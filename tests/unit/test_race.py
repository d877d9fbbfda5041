"""What is made of a race's measurements, and what a race says when it cannot be run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from labkit import config, i18n, race, session
from labkit.config import Racer
from labkit.drawing import Span
from labkit.errors import FAILED, USAGE, LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Outcome

ONE = Racer("one", {"en": "One", "zh-TW": "一"}, "dag_one", "topic", "group", "wait")


def result(**changes: Any) -> race.Result:
    values = {
        "racer": ONE,
        "sent": [0.0, 1.0, 2.0],
        "delays": [0.5, 3.5, None],
        "runs": 2,
        "instances": 3,
        "spans": [Span("one", -1, 0.5, "waits"), Span("one", 0.5, 0.7, "works")],
        "slots": [(-2.0, 1), (1.0, 0), (3.0, 2), (4.0, 2)],
        "written": {"dag_run": 4, "xcom": 1},
    }
    return race.Result(**(values | changes))


def outcome(**changes: Any) -> race.Race:
    return race.Race(race.Stream("race", 3, 1, None), [result(**changes)])


def test_delays_and_slots_are_summed_up_and_the_time_before_the_first_message_does_not_count() -> None:
    one = result()
    assert (one.handled, one.median, one.longest) == (2, 2.0, 3.5)
    assert one.slot_seconds == pytest.approx(1 + 2)


def test_who_handles_nothing_has_no_delay() -> None:
    one = result(delays=[None, None, None])
    assert (one.handled, one.median, one.longest) == (0, None, None)


def test_the_table_has_a_row_a_racer() -> None:
    row = outcome().table.iloc[0]
    assert (row["racer"], row["handled"], row["runs"], row["rows"]) == ("one", "2/3", 2, 5)
    assert outcome(written=None).table["rows"][0] == ""


def test_rows_are_drawn_only_where_they_could_be_told_apart() -> None:
    assert set(outcome().charts()) == {"gantt", "delays", "slots", "rows"}
    assert set(outcome(written=None).charts()) == {"gantt", "delays", "slots"}
    assert ">waits</text>" in outcome().gantt().svg()
    assert ">dag_run</text>" in outcome().charts()["rows"].svg()


def test_a_result_is_found_by_the_racers_name() -> None:
    assert outcome()["one"].racer is ONE


def test_repeated_samples_are_left_out_but_for_the_last() -> None:
    assert race._steps([(0, 1), (1, 1), (2, 0), (3, 0), (4, 0)]) == [(0, 1), (2, 0), (4, 0)]
    assert race._steps([(0, 1)]) == [(0, 1)]


def test_a_seed_changes_the_arrivals_and_nothing_else() -> None:
    other = race.with_seed(race.BURST, 5)
    assert other.arrivals() != race.BURST.arrivals()
    assert (other.events, other.rate) == (race.BURST.events, race.BURST.rate)
    assert race.with_seed(race.BURST, None) is race.BURST


def test_all_racers_race_unless_some_are_named_each_once() -> None:
    names = [racer.name for racer in config.find_racers([])]
    assert len(names) == len(set(names)) >= 2
    assert [racer.name for racer in config.find_racers([names[1], names[0], names[1]])] == [names[1], names[0]]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_racer_is_refused_with_those_there_are(language: i18n.Language, lab: Callable[..., Outcome]) -> None:
    told = lab("race", "snail", "--lang", language)
    assert told.code == USAGE
    assert "snail" in told.err
    assert config.find_racers([])[0].name in told.err.replace("\n", "")
    assert language == "en" or ", " not in told.err


def test_a_race_needs_a_stack(lab: Callable[..., Outcome]) -> None:
    told = lab("race")
    assert told.code == FAILED
    assert "./lab start" in told.err


@pytest.mark.parametrize("option", [("--events", "0"), ("--rate", "0"), ("--seed", "x"), ("--events", "501")])
def test_numbers_that_cannot_be_meant_are_refused(option: tuple[str, str], lab: Callable[..., Outcome]) -> None:
    told = lab("race", *option)
    assert told.code == USAGE
    assert option[0] in told.err


class _Stack:
    """A running stack with a broker and some Dags."""

    def __init__(self, broker: str, *dags: str) -> None:
        self.broker = SimpleNamespace(name=broker)
        self._dags = dict.fromkeys(dags)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def metadata(self) -> Self:
        return self

    def dags(self) -> dict[str, Any]:
        return self._dags


@pytest.mark.parametrize(
    ("stack", "key", "named"),
    [(_Stack("kafka-mock", "dag_one"), "race.mock", "real Kafka"), (_Stack("kafka", "x"), "race.no_dag", "dag_one")],
    ids=["a stand-in for Kafka", "the lab does not run"],
)
def test_a_stack_without_what_a_race_needs_is_refused(stack: Any, key: str, named: str) -> None:
    with pytest.raises(LabError, match=named) as refused:
        race.check(stack, [ONE])
    assert refused.value.key == key


def test_the_command_refuses_a_stand_in_for_kafka_in_a_sentence(
    lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", lambda: _Stack("kafka-mock"))
    told = lab("race", "--lang", "zh-TW")
    assert told.code == FAILED
    assert "真的 Kafka" in told.err
