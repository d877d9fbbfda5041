"""Follows one message through Airflow: message → trigger → asset event → Dag run → task, from the real tables."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from labkit.errors import LabError
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labkit.airflow.metadata import Metadata
    from labkit.brokers import Message

StageName = Literal["message", "trigger", "asset_event", "dag_run", "task_queued", "task_start", "task_end", "run_end"]
STAGES: tuple[StageName, ...] = (
    "message",
    "trigger",
    "asset_event",
    "dag_run",
    "task_queued",
    "task_start",
    "task_end",
    "run_end",
)

ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Stage:
    """One stop on the way: its name, the table and id of the row that proves it, and when it was."""

    name: StageName
    table: str
    id: str
    at: dt.datetime


@dataclass
class Journey:
    """What became of one message.

    Attributes:
        message: The message.
        stages: The stops so far, in order of time.
        dag: The Dag that it ran, once there is a run.
        run: The run's id.
        state: The run's state, empty before there is a run.
    """

    message: Message
    stages: list[Stage] = field(default_factory=list)
    dag: str = ""
    run: str = ""
    state: str = ""

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED

    def seconds(self, stage: StageName) -> float | None:
        """Return the seconds from the message to a stage, None where it was not reached."""
        for one in self.stages:
            if one.name == stage:
                return (one.at - self.message.produced_at).total_seconds()
        return None


_FIRED = re.compile(r"^(\d{4}-\S+) .*Trigger fired event .*result=(.+?)(?: [a-z_]+=\S*)*$")


def fired_at(lines: Iterable[str], value: str, before: dt.datetime) -> dt.datetime | None:
    """Return when a trigger fired an event with this payload, from the triggerer's log.

    The metadata database has no such column: an event exists only from `asset_event` on. Airflow 3.3.2 logs each
    event at INFO with its payload (`TriggerRunner.run_trigger`).

    Args:
        lines: The triggerer's log.
        value: The payload.
        before: The time of the asset event: of several such lines, the last one before it counts.
    """
    # The line shows the `repr` of the event's `repr`.
    shown = repr(f"TriggerEvent<{value!r}>")
    found = None
    for line in lines:
        match = _FIRED.match(line)
        if match is None or match[2] != shown:
            continue
        with contextlib.suppress(ValueError, TypeError):  # a line that was cut off, a time without a zone
            at = dt.datetime.fromisoformat(match[1])
            if at <= before:
                found = at
    return found


def look(metadata: Metadata, message: Message, *, taken: int = 0) -> Journey:
    """Return how far a message has come.

    Args:
        metadata: The metadata database.
        message: The message.
        taken: How many earlier messages with the same value have events of their own.
    """
    journey = Journey(message)
    where = f"{message.topic}[{message.partition}]"
    journey.stages.append(Stage("message", where, f"offset {message.offset}", message.produced_at))
    events = metadata.rows(
        """
        SELECT e.id, e.timestamp FROM asset_event e
        WHERE e.extra::jsonb ->> 'payload' = %s AND e.timestamp >= %s ORDER BY e.id OFFSET %s LIMIT 1
        """,
        [message.value, message.produced_at - _CLOCK, taken],
    )
    if not events:
        return journey
    event = events[0]
    journey.stages.append(Stage("asset_event", "asset_event", str(event["id"]), event["timestamp"]))
    runs = metadata.rows(
        """
        SELECT r.id, r.dag_id, r.run_id, r.state, r.created_at, r.end_date
        FROM dag_run r JOIN dagrun_asset_event link ON link.dag_run_id = r.id
        WHERE link.event_id = %s ORDER BY r.id LIMIT 1
        """,
        [event["id"]],
    )
    if not runs:
        return journey
    run = runs[0]
    journey.dag, journey.run, journey.state = run["dag_id"], run["run_id"], run["state"]
    journey.stages.append(Stage("dag_run", "dag_run", str(run["id"]), run["created_at"]))
    tasks = metadata.rows(
        """
        SELECT id, task_id, queued_dttm, start_date, end_date FROM task_instance
        WHERE dag_id = %s AND run_id = %s ORDER BY start_date NULLS LAST LIMIT 1
        """,
        [run["dag_id"], run["run_id"]],
    )
    for task in tasks:
        names: list[tuple[StageName, str]] = [
            ("task_queued", "queued_dttm"),
            ("task_start", "start_date"),
            ("task_end", "end_date"),
        ]
        for name, column in names:
            if task[column]:
                journey.stages.append(Stage(name, "task_instance", str(task["id"])[-6:], task[column]))
    if run["end_date"]:
        journey.stages.append(Stage("run_end", "dag_run", str(run["id"]), run["end_date"]))
    return journey


_CLOCK = dt.timedelta(milliseconds=5)
"""Kafka counts in milliseconds, PostgreSQL in microseconds: an event is not older than its message but may look so."""


def with_trigger(journey: Journey, log: Iterable[str]) -> Journey:
    """Return the journey with the stage that only the triggerer's log knows."""
    for position, stage in enumerate(journey.stages):
        if stage.name == "asset_event":
            at = fired_at(log, journey.message.value, stage.at)
            if at is not None:
                journey.stages.insert(position, Stage("trigger", "(triggerer log)", "", at))
            break
    return journey


def follow(  # noqa: PLR0913  each is a way in which callers differ
    metadata: Metadata,
    message: Message,
    *,
    timeout: float,
    log: Callable[[], Iterable[str]],
    seen: Callable[[Journey], None] | None = None,
    problem: Callable[[], None] | None = None,
) -> Journey:
    """Wait until the run that a message caused has ended.

    Args:
        metadata: The metadata database.
        message: The message.
        timeout: Seconds to wait at most.
        log: Gives the triggerer's log.
        seen: Told the journey at each look, for a live display.
        problem: Called at each look; raises where waiting is in vain.

    Raises:
        LabError: The run did not end in time; the message tells how far the event came.
    """
    latest = Journey(message)

    def look_once() -> Journey:
        nonlocal latest
        latest = look(metadata, message)
        if seen:
            seen(latest)
        if problem:
            problem()
        return latest

    try:
        until(lambda: look_once().ended, seconds=timeout, pause=0.05)
    except TimeoutError as error:
        last = latest.stages[-1].name if latest.stages else "message"
        raise LabError("trace.timeout", seconds=f"{timeout:.0f}", stage=last, topic=message.topic) from error
    journey = with_trigger(latest, log())
    if seen:
        seen(journey)
    return journey


def as_text(value: Any) -> str:
    """Return a JSON value as it is sent: compact, keys in their order, Chinese characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
