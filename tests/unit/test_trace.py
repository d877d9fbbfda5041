"""A message's way, told from the metadata tables and the triggerer's log."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import tenacity.nap

from labkit import trace
from labkit.brokers import Message
from labkit.errors import LabError
from labkit.trace import STAGES, Journey, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

T0 = dt.datetime(2026, 11, 23, 7, 0, 0, tzinfo=dt.UTC)
VALUE = '{"order_id": 1, "drink": "烏龍"}'
MESSAGE = Message("orders", VALUE, 0, 41, T0)


def at(milliseconds: int) -> dt.datetime:
    return T0 + dt.timedelta(milliseconds=milliseconds)


def fired(milliseconds: int, value: str = VALUE) -> str:
    """Return the line that Airflow 3.3.2's triggerer writes; structlog shows the event's `repr` by its `repr`."""
    return (
        f"{at(milliseconds).isoformat().replace('+00:00', 'Z')} [info     ] Trigger fired event            "
        f"[airflow.jobs.triggerer_job_runner] dag_id=None name='ID 1' "
        f"result={f'TriggerEvent<{value!r}>'!r} run_id=None"
    )


class _Tables:
    """Stands in for the metadata database; answers by the table that is asked."""

    def __init__(self, **answers: list[dict[str, Any]]) -> None:
        self.answers = answers

    def rows(self, query: str, _: Sequence[object] | None = None) -> list[dict[str, Any]]:
        table = query.partition("FROM ")[2].split()[0]
        return self.answers.get(table, [])


def whole(state: str = "success", **task: dt.datetime | None) -> _Tables:
    """Return tables through which the message has gone all the way."""
    end = at(900) if state in {"success", "failed"} else None
    return _Tables(
        asset_event=[{"id": 7, "timestamp": at(300)}],
        dag_run=[
            {"id": 8, "dag_id": "brew", "run_id": "r", "state": state, "created_at": at(400), "end_date": end},
        ],
        task_instance=[
            {
                "id": "0123456789",
                "task_id": "t",
                "queued_dttm": at(500),
                "start_date": at(600),
                "end_date": at(800),
                **task,
            },
        ],
    )


def names(journey: Journey) -> list[str]:
    return [stage.name for stage in journey.stages]


def test_a_whole_journey_has_every_stage_in_the_order_of_time() -> None:
    journey = trace.with_trigger(trace.look(whole(), MESSAGE), [fired(200)])
    assert tuple(names(journey)) == STAGES
    times = [stage.at for stage in journey.stages]
    assert times == sorted(times)
    assert (journey.dag, journey.run, journey.state, journey.ended) == ("brew", "r", "success", True)
    assert [stage.id for stage in journey.stages] == ["offset 41", "", "7", "8", "456789", "456789", "456789", "8"]


@pytest.mark.parametrize(
    ("tables", "reached"),
    [
        (_Tables(), ["message"]),
        (_Tables(asset_event=[{"id": 7, "timestamp": at(1)}]), ["message", "asset_event"]),
        (
            whole("running", start_date=None, end_date=None),
            ["message", "asset_event", "dag_run", "task_queued"],
        ),
        (whole("running", end_date=None), ["message", "asset_event", "dag_run", "task_queued", "task_start"]),
    ],
)
def test_a_journey_goes_as_far_as_there_are_rows(tables: _Tables, reached: list[str]) -> None:
    journey = trace.look(tables, MESSAGE)
    assert names(journey) == reached
    assert not journey.ended


def test_a_failed_run_is_an_end_too() -> None:
    assert trace.look(whole("failed"), MESSAGE).ended


def test_seconds_count_from_the_message() -> None:
    journey = trace.look(whole(), MESSAGE)
    assert journey.seconds("dag_run") == pytest.approx(0.4)
    assert journey.seconds("run_end") == pytest.approx(0.9)
    assert journey.seconds("trigger") is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([fired(200)], at(200)),
        ([fired(100), fired(200), fired(400)], at(200)),
        ([fired(200, '{"order_id": 2}')], None),
        ([fired(200).replace("Trigger fired event", "Trigger starting")], None),
        ([fired(200).replace("Z ", "+00:00 ", 1)], at(200)),
        ([f"Traceback {VALUE}", "", fired(200)], at(200)),
    ],
    ids=["empty", "one", "the last before the event counts", "other payload", "other line", "offset", "noise"],
)
def test_the_triggers_moment_is_read_from_its_log(lines: list[str], expected: dt.datetime | None) -> None:
    assert trace.fired_at(lines, VALUE, at(300)) == expected


@pytest.mark.parametrize(
    "line",
    [
        f"half-a-line Trigger fired event {VALUE}",
        f"2026-11-23T07: [info] Trigger fired event {VALUE}",
        fired(200).replace("Z ", " ", 1),
    ],
    ids=["no time", "cut off", "no zone"],
)
def test_a_line_whose_time_cannot_be_told_is_passed_over(line: str) -> None:
    assert trace.fired_at([line, fired(150)], VALUE, at(300)) == at(150)


@pytest.mark.parametrize("value", ['{"note": "it\'s"}', '{"note": "a\\\\b"}', '{"note": "line\\nbreak"}'])
def test_a_payload_with_quotes_and_backslashes_is_found_in_the_log(value: str) -> None:
    assert trace.fired_at([fired(200, value)], value, at(300)) == at(200)


def test_without_a_line_in_the_log_the_journey_stays_as_it_is() -> None:
    journey = trace.look(whole(), MESSAGE)
    before = list(journey.stages)
    assert trace.with_trigger(journey, []).stages == before
    assert trace.with_trigger(Journey(MESSAGE, [Stage("message", "orders[0]", "", T0)]), [fired(1)]).stages[0].at == T0


def test_following_tells_each_look_and_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    looks = iter([_Tables(), whole("running", end_date=None), whole()])

    class _Growing:
        tables = _Tables()

        def rows(self, query: str, values: Sequence[object] | None = None) -> list[dict[str, Any]]:
            if "asset_event e\n" in query and "dagrun" not in query:
                self.tables = next(looks)
            return self.tables.rows(query, values)

    seen: list[int] = []
    journey = trace.follow(
        _Growing(),  # type: ignore[arg-type]
        MESSAGE,
        timeout=5,
        log=lambda: [fired(200)],
        seen=lambda journey: seen.append(len(journey.stages)),
    )
    assert tuple(names(journey)) == STAGES
    assert seen == [1, 5, 7, 8]


def test_a_message_that_nobody_takes_ends_in_an_error_that_says_how_far_it_came() -> None:
    tables = _Tables(asset_event=[{"id": 7, "timestamp": at(1)}])
    with pytest.raises(LabError, match="asset_event") as refused:
        trace.follow(tables, MESSAGE, timeout=0.1, log=list)  # type: ignore[arg-type]
    assert refused.value.key == "trace.timeout"
    assert "orders" in str(refused.value)


def test_a_problem_ends_the_waiting_at_once() -> None:
    def problem() -> None:
        raise LabError("stack.none")

    with pytest.raises(LabError) as refused:
        trace.follow(_Tables(), MESSAGE, timeout=60, log=list, problem=problem)  # type: ignore[arg-type]
    assert refused.value.key == "stack.none"
