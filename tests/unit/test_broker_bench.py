"""The bench of the brokers without a stack: its search, its arithmetic, its record, and the page that shows it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from tests.bench.brokers import duel, record
from tests.bench.brokers.bed import LAB
from tests.bench.brokers.bench import FULL, NAMES, QUICK, Asked
from tests.bench.brokers.contenders import CONTENDERS
from tests.bench.brokers.search import Limit, highest
from tests.bench.brokers.sources import Files, Kafka, text
from tests.bench.brokers.trial import Trial, even, growth, jittered, poisson, quantile, taken_out

import broker_chart
from labkit import paths
from labkit.brokers import client
from labkit.commands import bench as command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

PAGES = [paths.ROOT / "book" / lang / "broker-numbers.md" for lang in ("en", "zh-TW")]


def trial(delays: list[float | None], **changes: Any) -> Trial:
    sent = {number: float(number) for number in range(len(delays))}
    recorded = {number: number + delay for number, delay in enumerate(delays) if delay is not None}
    values: dict[str, Any] = {
        "rate": 1.0, "sent": sent, "recorded": recorded, "begun": {key: at + 1 for key, at in recorded.items()},
        "stranded": 0, "doubled": 0, "runs": 3, "counted": len(recorded), "ended": 100.0,
    }  # fmt: skip
    return Trial(**(values | changes))


# The search ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0.7, 1.3, 2.9, 7.5])
def test_the_search_comes_as_near_as_it_promises(limit: float) -> None:
    asked: list[float] = []

    def holds(rate: float) -> bool:
        asked.append(rate)
        return rate <= limit

    found = highest(holds, 0.5, 8, 4)
    assert found.rate is not None
    assert limit - (8 - 0.5) / 2**4 <= found.rate <= limit
    assert len(asked) <= 6


def test_a_limit_above_all_rates_is_said_to_be_at_least_the_highest() -> None:
    assert highest(lambda _: True, 1, 8, 3) == Limit(8, at_least=True)


def test_the_highest_is_not_tried_where_it_is_known_to_be_too_much() -> None:
    asked: list[float] = []
    assert highest(lambda rate: not asked.append(rate), 0, 8, 3, top=False) == Limit(7, at_least=False)
    assert asked == [4, 6, 7]


def test_where_nothing_holds_there_is_no_limit_and_the_lowest_was_tried() -> None:
    asked: list[float] = []
    assert highest(lambda rate: bool(asked.append(rate)), 1, 8, 3) == Limit(None, at_least=False)
    assert asked[-1] == 1


# The arithmetic ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [poisson, jittered])
def test_arrivals_are_exact_in_number_and_repeat_by_their_seed(make: Callable[..., list[float]]) -> None:
    one, other = make(50, 10, 34), make(50, 10, 34)
    assert one == other != make(50, 10, 35)
    assert len(one) == 50
    assert one == sorted(one)
    assert 0 <= one[0] < one[-1] <= 10


def test_jittered_arrivals_have_their_rate_throughout() -> None:
    assert [int(moment) for moment in jittered(9, 9, 34)] == list(range(9))
    assert even(4, 2) == [0, 0.5, 1, 1.5]


def test_a_queue_that_grows_is_told_from_delays_that_vary() -> None:
    assert growth([1, 2, 1, 2, 1, 2]) == 0
    assert growth([1, 1, 3, 3, 5, 5]) == 4
    assert growth([1, 9]) == 0


def test_sustained_means_that_nothing_is_lost_and_nothing_grows() -> None:
    assert trial([1.0] * 9).holds
    assert not trial([1.0] * 8 + [None]).holds
    assert not trial([1.0] * 6 + [3.5] * 3).holds


def test_all_the_way_means_that_nobody_was_stranded() -> None:
    assert trial([1.0] * 9).holds_in_runs
    assert not trial([1.0] * 9, stranded=1).holds_in_runs
    assert not trial([1.0] * 9, begun={}).holds_in_runs


def test_a_backlogs_rate_counts_what_came_after_the_first() -> None:
    assert taken_out(trial([0.0] * 5, recorded={0: 10.0, 1: 12.0, 2: 14.0})) == pytest.approx(0.5)
    # Two events of two messages each: the second event brought two in two seconds.
    assert taken_out(trial([0.0] * 4, recorded={0: 10.0, 1: 10.0, 2: 12.0, 3: 12.0})) == pytest.approx(1)
    assert taken_out(trial([0.0] * 2, recorded={0: 10.0, 1: 10.0})) is None
    assert taken_out(trial([None] * 3)) is None


def test_quantiles_and_thinning_keep_the_spread() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(list(range(100)), 0.95) == 95
    thin = record.thinned([float(value) for value in range(1000)])
    assert (len(thin), thin[0], thin[-1]) == (record.SHOWN, 0, 999)


def test_an_event_for_a_file_that_is_still_there_is_lost(tmp_path: Path) -> None:
    source = Files(tmp_path, ["a", "b"])
    for number in (1, 2, 3):
        source.send(number)  # 3 finds the file of 1
    (tmp_path / "a").unlink()
    source.send(4)
    source.send(5)
    assert source.numbers({"filepath": "/x/a"}) == [1]
    assert source.numbers({"filepath": "/x/a"}) == [5]
    assert source.numbers({"filepath": "/x/b"}) == [2]
    assert source.numbers({"filepath": "/x/b"}) == []


def test_kafkas_payload_may_be_one_message_or_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "Sender", lambda _: None)
    source = Kafka(type("State", (), {"bootstrap": ""})(), "topic")  # type: ignore[arg-type]
    assert source.numbers(text(7)) == [7]
    assert source.numbers([text(7), text(8)]) == [7, 8]


def test_the_duel_is_lost_by_one_message_or_by_being_too_slow() -> None:
    told = {"messages": 10, "batch": {"lost": 0, "counted": 10}, "times": 20.0}
    assert all(figure.kept for figure in duel.figures(told))
    assert not all(figure.kept for figure in duel.figures({**told, "times": 19.9}))
    assert not all(figure.kept for figure in duel.figures({**told, "times": None}))
    assert not all(figure.kept for figure in duel.figures({**told, "batch": {"lost": 1, "counted": 9}}))


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_knows_all_contenders() -> None:
    assert sorted(command.CONTENDERS) == sorted(NAMES)


def test_the_lab_of_the_bench_has_what_its_contenders_need() -> None:
    table = tomllib.loads((LAB / "lab.toml").read_text(encoding="utf-8"))
    assert sorted(table["on_demand"]) == sorted(one.dag for one in CONTENDERS)
    kafka = [one.dag for one in CONTENDERS if one.scheme == "kafka"]
    assert sorted(table["kafka"]["topics"]) == sorted(table["kafka"]["connections"]) == sorted(kafka)


def test_a_quick_run_is_shorter_in_everything() -> None:
    assert Asked(quick=True).pace is QUICK
    assert Asked().pace is FULL
    assert QUICK.seconds < FULL.seconds
    assert QUICK.steps < FULL.steps
    assert QUICK.messages < FULL.messages


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "--quick"], "belong to `./lab bench brokers`"),
        (["--record"], "belong to `./lab bench brokers`"),
        (["brokers", "--only", "redis", "--record"], "leave --only out"),
        (["brokers", "--only", "rabbit"], "kafka-single"),
        (["speed"], "brokers"),
    ],
)
def test_what_cannot_be_meant_is_refused(lab: Callable[..., Outcome], words: list[str], said: str) -> None:
    outcome = lab("bench", *words)
    assert outcome.code == 2
    assert said in outcome.err


def test_help_is_there_in_both_languages(lab: Callable[..., Outcome]) -> None:
    assert "a coarser search" in lab("bench", "--help").out
    assert "搜尋較粗" in lab("bench", "--help", "--lang", "zh-TW").out


# The record and the page ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return record.read()


def test_the_record_has_every_contender_and_the_duel(table: dict[str, Any]) -> None:
    assert [row["name"] for row in table["contenders"]] == [one.name for one in CONTENDERS]
    assert [(row["scheme"], row["pattern"]) for row in table["contenders"]] == [
        (one.scheme, one.pattern) for one in CONTENDERS
    ]
    for row in table["contenders"]:
        assert row["half"]["events"] >= 3, row["name"]
        assert row["half"]["recorded"]["p50"] <= row["half"]["recorded"]["p95"], row["name"]
        assert row["half"]["begun"]["p50"] > row["half"]["recorded"]["p50"], row["name"]
    assert {"date", "machine", "versions", "rule", "command", "seconds", "provisional"} <= table.keys()


def test_the_record_keeps_the_bounds_and_says_what_the_page_says(table: dict[str, Any]) -> None:
    assert all(figure.kept for figure in duel.figures(table["duel"]))
    rows = {row["name"]: row for row in table["contenders"]}
    # What the page says in words.
    assert rows["kafka-single"]["sustained"] < 1
    assert rows["sqs-batches"]["sustained"] > rows["sqs-single"]["sustained"] > rows["kafka-single"]["sustained"]
    assert rows["kafka-batch"]["sustained"] > rows["kafka-shared"]["sustained"] > rows["sqs-single"]["sustained"]
    assert rows["directory"]["sustained"] > rows["file"]["sustained"]
    assert (
        rows["kafka-shared"]["in_runs"] is None or rows["kafka-shared"]["in_runs"] < rows["kafka-shared"]["sustained"]
    )
    assert rows["redis"]["half"]["lost"]
    assert not any(row["half"]["lost"] for row in table["contenders"] if row["arrivals"] == "jittered")


def test_every_number_that_the_pages_ask_for_is_in_the_record() -> None:
    wanted = [set(re.findall(r"\{broker\}`([^`]+)`", page.read_text(encoding="utf-8"))) for page in PAGES]
    assert wanted[0] == wanted[1]
    assert wanted[0]
    table = broker_chart.load()
    for place in wanted[0]:
        assert isinstance(broker_chart.find(place, table), int | float), place


def test_asking_for_what_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError):
        broker_chart.find("kafka-single.nothing", broker_chart.load())


@pytest.mark.parametrize("lang", ["en", "zh-TW"])
@pytest.mark.parametrize("name", ["limits", "latency"])
def test_charts_are_sound_svg_that_says_all_in_words(name: str, lang: str) -> None:
    table = broker_chart.load()
    root = ET.fromstring(broker_chart.CHARTS[name](table, lang))  # noqa: S314  our own
    assert root.get("role") == "img"
    told = "".join(root.itertext())
    for row in table["contenders"].values():
        assert told.count(broker_chart.NAMES[row["name"]][lang]) == 2, "once drawn, once described"


def test_numbers_read_as_people_read_them() -> None:
    shown = {0.478: "0.48", 4.93: "4.9", 37.46: "37", 812.3: "810", 1234.5: "1,200", 10_000: "10,000", 9_997: "9,997"}
    assert {value: broker_chart.plain(value) for value in shown} == shown
