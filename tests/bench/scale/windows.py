"""Spans of time with known numbers of watchers, events, runs and tasks, and what was counted in each.

Counts of statements and rows are exact whatever else the machine does. Seconds of CPU and delays are not: each window
has how much of the machine others took (`foreign`, in cores).
"""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit import arrivals
from labkit.airflow import queueing
from labkit.airflow.statements import Count
from labkit.brokers import client
from labkit.waiting import until

if TYPE_CHECKING:
    from collections import Counter

    from labkit.airflow.statements import Statements
    from tests.bench.scale.bed import Bed

SETTLE = 6.0
"""Seconds after the last watcher was assigned, in which triggers start: a steady state is measured."""
PATIENCE = 120.0
"""Seconds after the last message until its run is given up."""
SPEAKING = "sqs"
"""The family whose triggers write to the log and ask for their connection at each poll, which wakes the parent."""
FAILING = "failing"
"""The family of triggers that raise, and are started again, and raise."""
QUIET = 0.1
"""Up to so many cores in the hands of others, seconds of CPU and delays count."""


@dataclass(frozen=True)
class Idle:
    """Watchers for which nothing comes.

    Attributes:
        family: Whose trigger; `shared` ones have one poll for all of them.
        watchers: How many.
        interval: Seconds between two polls of each, or of all that share one.
        dags: Dags that nobody runs, beside.
    """

    family: str
    watchers: int
    interval: float
    dags: int = 0

    @property
    def polls(self) -> float:
        """How many polls a second that makes. Kafka's take turns in one thread, each waiting for its whole interval."""
        if not self.watchers or self.family == FAILING:
            return 0.0
        alone = self.family in {"directory", "kafka-shared", "kafka"}
        return (1 if alone else self.watchers) / self.interval


_NUMBERS = (1, 10, 50, 200)
IDLE = (
    Idle("file", 0, 60),
    *(Idle(family, count, every) for family in ("file", "directory") for every in (1, 60) for count in _NUMBERS),
    Idle("sqs", 10, 60), Idle("sqs", 10, 1), Idle("sqs", 50, 1), Idle("failing", 10, 60),
    Idle("kafka", 10, 1), Idle("kafka", 50, 1), Idle("kafka-shared", 50, 1),
    Idle("file", 0, 60, dags=50),
)  # fmt: skip
"""What is measured at rest.

A flag file each, or all in one scan of a directory; a queue; a queue that is not there; a topic, or one stream.
"""
IDLE_QUICK = (Idle("file", 0, 60), Idle("file", 50, 1), Idle("file", 50, 60), Idle("directory", 50, 1))


@dataclass(frozen=True)
class Load:
    """Messages to one watched asset.

    Attributes:
        name: Of this load.
        asset: Asset, topic, connection and consumer group.
        dags: What is scheduled on it.
        tasks: Of each run.
        messages: How many are sent.
        rate: A second; 0 for all at once.
        seed: Repeats random arrivals; None for arrivals like a clock's.
        returns: Whether the trigger returns after each event, to be started again.
    """

    name: str
    asset: str
    dags: tuple[str, ...]
    tasks: int
    messages: int
    rate: float
    seed: int | None = None
    returns: bool = False


_FOUR = tuple(f"scale_dags_{number}" for number in range(1, 5))
LOADS = (
    Load("one", "scale_one", ("scale_one",), 1, 14, 0.35),
    Load("returns", "scale_single", ("scale_single",), 1, 10, 0.25, returns=True),
    Load("tasks", "scale_tasks", ("scale_tasks",), 4, 8, 0.2),
    Load("dags", "scale_dags", _FOUR, 1, 8, 0.2),
    Load("burst", "scale_one", ("scale_one",), 1, 150, 0),
    Load("stream", "scale_one", ("scale_one",), 1, 80, 4.0, seed=7),
    Load("turns", "scale_single", ("scale_single",), 1, 8, 0, returns=True),
)
"""From these the constants are found. `burst` has all at once, `stream` events that come quicker than runs are made."""
LOADS_QUICK = (
    Load("one", "scale_one", ("scale_one",), 1, 6, 0.35),
    Load("tasks", "scale_tasks", ("scale_tasks",), 4, 4, 0.2),
    Load("dags", "scale_dags", _FOUR, 1, 4, 0.2),
    Load("burst", "scale_one", ("scale_one",), 1, 100, 0),
    Load("stream", "scale_one", ("scale_one",), 1, 40, 4.0, seed=7),
    Load("turns", "scale_single", ("scale_single",), 1, 5, 0, returns=True),
)

POINTS = {
    "single": (
        Load("single", "scale_point_single", ("scale_point_single",), 2, 15, 0.3, seed=3, returns=True),
        {"pattern": "single", "tasks": 2},
    ),
    "stream": (
        Load("stream", "scale_point", ("scale_point_1", "scale_point_2"), 2, 24, 0.5, seed=5),
        {"pattern": "stream", "dags": 2, "tasks": 2},
    ),
    "batch": (
        Load("batch", "scale_point_batch", ("scale_point_batch",), 1, 1600, 40, seed=9),
        {"pattern": "batch", "batch": 500},
    ),
}
"""What the calculator is compared with: other Dags, other rates, other triggers than those that it was made from."""


@dataclass
class Window:
    """What was there and what was counted.

    Attributes:
        seconds: How long.
        events: Asset events.
        links: Pairs of an event and a run that has it.
        runs: Dag runs.
        tasks: Task instances that ended.
        turns: How often a trigger was started again.
        statements: By part.
        rows: That came and stayed, by table.
        cpu: Seconds, by part.
        foreign: Cores in the hands of others.
        delays: Seconds from each message to its asset event, to its run, to the start of the first task.
        times: When asset events were stored.
        gaps: Seconds between two runs of the same event.
        lives: Seconds from the making of a run to its end.
        sending: Seconds in which the messages were sent, and as long after the last one as between two.
    """

    seconds: float
    events: int = 0
    links: int = 0
    runs: int = 0
    tasks: int = 0
    turns: int = 0
    statements: dict[str, Count] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    foreign: float = 0.0
    delays: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    sending: float = 0.0

    def row(self) -> dict[str, Any]:
        """Return it for the record."""
        table: dict[str, Any] = {
            name: getattr(self, name) for name in ("events", "links", "runs", "tasks", "turns") if getattr(self, name)
        }
        table = {"seconds": round(self.seconds, 1), **table}
        table["statements"] = {
            name: [one.statements, one.writes, one.transactions, one.rounds]
            for name, one in sorted(self.statements.items())
        }
        if self.rows:
            table["rows"] = self.rows
        table["cpu"] = {name: round(value, 2) for name, value in sorted(self.cpu.items())}
        table["foreign"] = round(self.foreign, 2)
        if self.delays:
            for place, name in enumerate(("to_event", "to_run", "to_task")):
                known = [one[place] for one in self.delays]
                values = [value for value in known if value is not None]
                table[name] = round(statistics.median(values), 2) if values else None
        if self.times and len(self.times) > 1:
            table["storing"] = round((self.times[-1] - self.times[0]) / (len(self.times) - 1), 4)
        if self.gaps:
            table["run_gap"] = round(statistics.median(self.gaps), 4)
        if self.sending:
            table["sending"] = round(self.sending, 2)
        if self.lives:
            table["run_life"] = round(statistics.median(self.lives), 2)
        return table


class Span:
    """The beginning of a window; `end` counts what happened since.

    Args:
        bed: The stack.
        log: Counts statements.
    """

    def __init__(self, bed: Bed, log: Statements) -> None:
        self._bed, self._log = bed, log
        self._statements = log.count()
        self._cpu = bed.cpu()
        self._began = time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        deadline = self._began + seconds
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 5))
            self._log.look()

    def end(self, **known: Any) -> Window:
        """Return the window."""
        seconds = time.monotonic() - self._began
        cpu = self._bed.cpu()
        taken: Counter[str] = cpu.copy()
        taken.subtract(self._cpu)
        statements = self._log.count()
        machine, own = taken.pop("machine"), taken.pop("bench")
        return Window(
            seconds=seconds,
            statements={
                name: count - self._statements.get(name, Count()) for name, count in statements.items() if name
            },
            cpu={name: max(0.0, value) for name, value in taken.items()},
            foreign=max(0.0, (machine - own - sum(taken.values())) / seconds),
            **known,
        )


def rest(bed: Bed, log: Statements, what: Idle, seconds: float) -> Window:
    """Measure watchers for which nothing comes."""
    with bed.idle(what.family, what.watchers, what.interval, what.dags):
        time.sleep(SETTLE)
        span = Span(bed, log)
        span.wait(seconds)
        return span.end()


_EVENTS = """
    SELECT e.id, extract(epoch FROM e.timestamp)::float8 AS at, e.extra::jsonb -> 'payload' AS payload,
           extract(epoch FROM min(r.created_at))::float8 AS run, extract(epoch FROM min(t.start_date))::float8 AS task,
           array_agg(DISTINCT extract(epoch FROM r.created_at)::float8) AS made
    FROM asset_event e JOIN asset a ON a.id = e.asset_id
    LEFT JOIN dagrun_asset_event link ON link.event_id = e.id
    LEFT JOIN dag_run r ON r.id = link.dag_run_id
    LEFT JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id
    WHERE e.id > %s AND a.name = %s GROUP BY e.id ORDER BY e.id
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM dag_run WHERE id > %(run)s AND dag_id = ANY(%(dags)s)) AS runs,
           (SELECT count(*) FROM dagrun_asset_event l JOIN dag_run r ON r.id = l.dag_run_id
            WHERE r.id > %(run)s AND r.dag_id = ANY(%(dags)s)) AS links,
           (SELECT count(*) FROM task_instance t JOIN dag_run r ON r.dag_id = t.dag_id AND r.run_id = t.run_id
            WHERE r.id > %(run)s AND r.dag_id = ANY(%(dags)s) AND t.state = 'success') AS tasks,
           (SELECT array_agg(extract(epoch FROM end_date - created_at)::float8) FROM dag_run
            WHERE id > %(run)s AND dag_id = ANY(%(dags)s)) AS lives
"""


def messages_in(payload: Any) -> int:
    """Return how many messages one event carries."""
    return len(payload) if isinstance(payload, list) else 1


def load(bed: Bed, log: Statements, what: Load, seconds: float = 0) -> Window:
    """Send messages and measure until the last run has ended, and for some seconds at least."""
    metadata, dags = bed.metadata, list(what.dags)

    def events() -> list[dict[str, Any]]:
        return metadata.rows(_EVENTS, [mark.event, what.asset])

    with bed.awake(what.asset, what.dags):
        # The first event imports classes, and forks the first worker.
        mark = queueing.mark(metadata)
        client.publish(bed.stack.state.bootstrap, what.asset, ["warm"])
        until(lambda: events() and not queueing.pending(metadata, dags), seconds=PATIENCE)
        mark = queueing.mark(metadata)
        sizes = bed.table_sizes()
        sender = client.Sender(bed.stack.state.bootstrap)
        span = Span(bed, log)
        if what.rate:
            for number in arrivals.paced(arrivals.poisson(what.messages, what.rate, what.seed)):
                sender.send(what.asset, str(number))
                log.look()
        else:
            for number in range(what.messages):
                sender.send(what.asset, str(number))
        sent = [one.produced_at.timestamp() for one in sender.finish()]

        def over() -> bool:
            log.look()
            stored = sum(messages_in(row["payload"]) for row in events())
            return stored >= what.messages and not queueing.pending(metadata, dags)

        until(over, seconds=PATIENCE, pause=0.25)
        span.wait(seconds)
        rows = events()
        counts = metadata.rows(_COUNTS, {"run": mark.run, "dags": dags})[0]
        window = span.end(
            events=len(rows),
            links=counts["links"],
            runs=counts["runs"],
            tasks=counts["tasks"],
            turns=len(rows) if what.returns else 0,
        )
        after = bed.table_sizes()
        window.rows = {name: after[name][0] - sizes[name][0] for name in after if after[name][0] != sizes[name][0]}
        window.sending = (sent[-1] - sent[0]) * len(sent) / (len(sent) - 1)
        window.lives = counts["lives"] or []
        window.times = [row["at"] for row in rows]
        made = [sorted(moment for moment in row["made"] if moment) for row in rows]
        window.gaps = [after - before for moments in made for before, after in itertools.pairwise(moments)]
        place = iter(sent)
        for row in rows:
            for _ in range(messages_in(row["payload"])):
                at = next(place)
                run, task = row["run"], row["task"]
                window.delays.append((row["at"] - at, run and run - at, task and task - at))
        return window
