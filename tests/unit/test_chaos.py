"""What is made of counted messages, what `lab.toml` may say of them, and what `chaos` refuses."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from labkit import chaos, config, i18n
from labkit.errors import FAILED, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Outcome

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def outcome(**changes: Any) -> chaos.Outcome:
    values = {
        "scheme": "kafka",
        "fault": "none",
        "published": 3,
        "wanted": 3,
        "events": 3,
        "runs": 3,
        "failed": 0,
        "served": 3,
        "servings": 3,
        "refused": 0,
        "delays": (1.0, 2.0, 3.0),
    }
    return chaos.Outcome(**(values | changes))


def test_when_all_is_well_nothing_is_lost_doubled_or_late() -> None:
    one = outcome()
    assert (one.lost, one.doubled, one.late, one.longest) == (0, 0, 0, 3.0)


def test_lost_is_what_was_neither_served_nor_put_aside() -> None:
    assert outcome(served=2, servings=2).lost == 1
    assert outcome(served=2, servings=2, refused=1).lost == 0
    # A dead letter that was written twice does not make up for another message.
    assert outcome(refused=1).lost == 0


def test_doubled_is_every_serving_after_the_first() -> None:
    assert outcome(servings=5).doubled == 2
    assert outcome(served=2, servings=3).doubled == 1


def test_late_is_what_took_longer_than_the_limit() -> None:
    one = outcome(delays=(chaos.LATE, chaos.LATE + 0.01, 99.0))
    assert (one.late, one.longest) == (2, 99.0)
    assert outcome(served=0, servings=0, delays=()).longest is None


def test_a_delay_is_from_the_first_sending_to_the_first_serving() -> None:
    sent = [("a", after(0)), ("b", after(1)), ("a", after(2)), ("lost", after(3))]
    servings = [("a", after(4)), ("b", after(4.5)), ("a", after(9))]
    assert chaos.delays(sent, servings) == (4.0, 3.5)
    assert chaos.delays(sent, []) == ()


def test_a_row_can_be_written_as_json_and_has_what_was_reckoned() -> None:
    row = json.loads(json.dumps(outcome(served=2, servings=4).row))
    assert (row["lost"], row["doubled"], row["late"], row["longest"]) == (1, 2, 0, 3.0)
    assert row["delays"] == [1.0, 2.0, 3.0]


def test_every_fault_has_its_way_of_going_wrong() -> None:
    for fault in chaos.FAULTS:
        assert getattr(chaos._Chaos, "_" + fault.replace("-", "_")).__doc__
    assert chaos.LASTS.keys() <= set(chaos.FAULTS)


def test_targets_of_the_project_have_topics_and_groups_and_dags_of_their_own() -> None:
    targets = [target for one in config.labs() for target in one.chaos]
    assert {"kafka", "kafka-shared-stream"} <= {one.name for one in targets}
    for key in ("name", "dag", "asset", "topic", "group", "table"):
        values = [value for one in targets if (value := getattr(one, key))]
        assert len(set(values)) == len(values), key
    for lab in config.labs():
        for target in lab.chaos:
            assert target.dag in lab.on_demand
            places = {"kafka": lab.topics, "sqs": lab.queues, "redis": lab.channels, "file": (target.topic,)}
            assert target.topic in places[target.broker]
            assert (target.group in lab.connections) == (target.broker == "kafka")
            assert not target.dead or target.dead in lab.topics


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_source_is_refused_with_those_there_are(language: str, lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "pigeons", "none", "--lang", language)
    assert told.code == USAGE
    assert "pigeons" in told.err
    assert "kafka-shared-stream" in told.err.replace("\n", "")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_fault_is_refused_with_those_there_are(language: str, lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "kafka", "earthquake", "--lang", language)
    assert told.code == USAGE
    assert "kill-triggerer" in told.err


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(("scheme", "fault"), [("sqs", "stop-broker"), ("file", "stop-broker"), ("file", "poison")])
def test_a_fault_that_would_show_what_is_not_so_is_refused(
    scheme: str, fault: str, language: str, lab: Callable[..., Outcome]
) -> None:
    told = lab("chaos", scheme, fault, "--lang", language)
    assert told.code == USAGE
    assert fault in told.err


@pytest.mark.parametrize("arguments", [[], ["kafka"], ["kafka", "none", "--seconds", "-1"], ["kafka", "none", "x"]])
def test_what_is_missing_or_too_much_is_refused(arguments: list[str], lab: Callable[..., Outcome]) -> None:
    assert lab("chaos", *arguments).code == USAGE


def test_without_a_stack_it_says_how_to_get_one(lab: Callable[..., Outcome]) -> None:
    told = lab("chaos", "kafka", "none")
    assert told.code == FAILED
    assert "./lab start" in told.err
