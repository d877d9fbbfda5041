"""A capacity calculator: from events a second, batches, polls, Dags and tasks to delays, statements and the bottleneck.

The formulas are here and, the same line for line, in `book/_static/scripts/plan.js` for the page; a test holds both
together. Their constants come from `book/scale-numbers.json`, which `./lab bench scale --record` measures, with
Airflow's own settings, on one machine. So read its answers as "about", and measure with the same command where it
matters.

What is modelled, with where it is in Airflow 3.3.2:

* A trigger that returns after each event is started again after a *turn* (`jobs/triggerer_job_runner.py`, `run_once`
  and the runner's loop, a second each); one that stays and makes batches pauses between two of them.
* A Dag file is parsed twice a minute, and each of its watched assets is written anew (`dag_processing/collection.py`).
* A triggerer's parent stores events one after the other (`handle_events`).
* A scheduler's pass makes at most one run per Dag (`_create_dag_runs_asset_triggered`); of events that come quicker,
  only some make a run. At `max_active_runs` there is none.
* A task holds a slot, and its process needs CPU and the execution API.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from labkit import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = paths.BOOK / "scale-numbers.json"
PATTERNS = ("single", "stream", "batch")
"""A trigger returns after each event; stays, with an event for each message; stays, with one for all that are there."""
GAP = 2.0
"""Seconds that a batch trigger of the labs pauses between two events."""
DAY = 86_400.0
HEADROOM = 0.999
"""A load below this is sustained."""


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        rate: Messages a second, of all sources together, at random times.
        pattern: How triggers make events of them, one of `PATTERNS`.
        batch: How many messages an event may hold; with `stream` it is always one.
        poll: Seconds between two polls of a source; 0 where it tells by itself, as Kafka does.
        watchers: Watched assets; messages are spread evenly over them.
        dags: Dags scheduled on each of the assets.
        tasks: Of each run.
        task_seconds: What a task works, beyond its start and its end.
        triggerers: How many.
        latency: Milliseconds that a round trip to the database takes longer than through a socket of the same machine.
        cores: Of the machine, or machines, that Airflow and its tasks run on.
        slots: `[core] parallelism`.
        active: `max_active_runs` of each Dag.
        capacity: `[triggerer] capacity`.
    """

    rate: float = 0.2
    pattern: str = "single"
    batch: int = 1
    poll: float = 0.0
    watchers: int = 1
    dags: int = 1
    tasks: int = 1
    task_seconds: float = 0.0
    triggerers: int = 1
    latency: float = 0.0
    cores: int = 2
    slots: int = 32
    active: int = 16
    capacity: int = 1000


LIMITS: Mapping[str, tuple[float, float]] = {
    "rate": (0.0001, 1_000_000),
    "batch": (1, 1_000_000),
    "poll": (0, 86_400),
    "watchers": (1, 100_000),
    "dags": (1, 10_000),
    "tasks": (1, 1_000),
    "task_seconds": (0, 86_400),
    "triggerers": (1, 1_000),
    "latency": (0, 10_000),
    "cores": (1, 10_000),
    "slots": (1, 100_000),
    "active": (1, 10_000),
    "capacity": (1, 100_000),
}
"""What may be asked for, smallest and largest."""
WHOLE = frozenset({field.name for field in fields(Asked) if field.type == "int"})
"""Which of it has to be a whole number."""


@dataclass(frozen=True)
class Constants:
    """What was measured, as the formulas need it. Times in seconds, `_trips` in round trips to the database.

    Attributes:
        table: The record's `constants`.
    """

    table: Mapping[str, Any]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return the constants of a record."""
        return cls(record["constants"])

    def idle(self, kind: str, *parts: str) -> float:
        """Return statements, writes or transactions a second at rest, of some parts or of all."""
        rates = self.table["idle"]
        return float(sum(rates[part][kind] for part in parts or rates if part in rates))

    def parsing(self, kind: str, asked: Asked) -> float:
        """Return what is asked a second for what is parsed beyond the bench's own: watched assets and their Dags."""
        asset, dag = self.table["asset"][kind], self.table["dag"][kind]
        return float(asked.watchers * asset + asked.watchers * asked.dags * dag)

    def cost(self, kind: str, cause: str, *parts: str) -> float:
        """Return statements, writes or transactions of an event, a turn, a run or a task."""
        costs = self.table["costs"]
        return float(sum(costs[part].get(cause, {}).get(kind, 0.0) for part in parts or costs))

    def trips(self, cause: str, *parts: str) -> float:
        """Return round trips to the database: each statement is one, and a transaction's beginning and end are two."""
        return self.cost("statements", cause, *parts) + 2 * self.cost("transactions", cause, *parts)

    def idle_trips(self, *parts: str) -> float:
        """Return round trips a second at rest."""
        return self.idle("statements", *parts) + 2 * self.idle("transactions", *parts)

    def rows(self, cause: str) -> float:
        """Return the rows that an event, a link, a run or a task leaves."""
        return float(sum(self.table["rows"][cause].values()))

    def bytes(self, cause: str) -> float:
        """Return the bytes of those rows; of tables too small to tell, none."""
        sizes = self.table["bytes"]
        return float(sum(count * sizes.get(table, 0) for table, count in self.table["rows"][cause].items()))

    def cpu(self, cause: str, *parts: str) -> float:
        """Return seconds of CPU of an event, a turn, a run or a task."""
        costs = self.table["cpu"]["costs"]
        return float(sum(costs[part].get(cause, 0.0) for part in parts or costs))

    def idle_cpu(self, *parts: str) -> float:
        """Return the cores taken at rest."""
        rates = self.table["cpu"]["idle"]
        return float(sum(rates[part] for part in parts or rates if part in rates))

    def seconds(self, name: str) -> float:
        """Return a time that was measured."""
        return float(self.table["seconds"][name])


def read(file: Path | None = None) -> dict[str, Any]:
    """Return a record, the project's own by default.

    Raises:
        OSError: There is none.
        ValueError: It is not JSON.
    """
    table: dict[str, Any] = json.loads((file or FILE).read_text(encoding="utf-8"))
    return table


@functools.cache
def recorded() -> Constants:
    """Return the constants of the project's own record."""
    return Constants.of(read())


@dataclass(frozen=True)
class Foreseen:
    """What is to be expected, a second where nothing else is said.

    Attributes:
        events: Asset events.
        runs: Dag runs.
        tasks: Task instances.
        idle_statements: SQL statements when nothing comes.
        statements: SQL statements, those included.
        writes: The `INSERT`, `UPDATE` and `DELETE` among them.
        rows: Rows that stay until `airflow db clean`.
        bytes: What they take, indexes included.
        cores: CPU.
        to_event: Seconds from a message to its asset event, about; infinite where a queue grows.
        to_run: The same to the run that gets it.
        to_task: The same to the start of its first task.
        loads: How much of each limit is taken, 1 for all of it.
        limit: The limit that is met first.
        sustained: The messages a second at which it is met.
    """

    events: float
    runs: float
    tasks: float
    idle_statements: float
    statements: float
    writes: float
    rows: float
    bytes: float
    cores: float
    to_event: float
    to_run: float
    to_task: float
    loads: Mapping[str, float]
    limit: str
    sustained: float

    @property
    def keeps_up(self) -> bool:
        """Whether all limits are kept."""
        return self.loads[self.limit] <= 1


def foresee(asked: Asked, constants: Constants | None = None) -> Foreseen:
    """Return what is to be expected.

    Args:
        asked: The load and the installation.
        constants: Measured ones; the project's own by default.
    """
    constants = constants or recorded()
    told = _at(asked, constants)
    low, high = 0.0, LIMITS["rate"][1]
    for _ in range(60):
        # Between powers of ten, for rates range over ten of them.
        middle = math.sqrt(max(low, 1e-6) * high)
        if max(_at(replace(asked, rate=middle), constants).loads.values()) <= 1:
            low = middle
        else:
            high = middle
    return replace(told, sustained=low)


def _at(asked: Asked, c: Constants) -> Foreseen:
    """Return what is to be expected, but for the sustained rate."""
    trip = asked.latency / 1000
    batch = asked.batch if asked.pattern != "stream" else 1
    spacing = {"single": c.seconds("turn"), "stream": 0.0, "batch": GAP}[asked.pattern]
    mine = asked.rate / asked.watchers

    # From messages to events: after one, a trigger has to wait; what comes meanwhile goes into the next, if it fits.
    turn = mine * spacing / batch
    each = mine / max(1.0, turn)
    if batch > 1:
        each = min(each, 1 / (spacing + math.exp(-mine * spacing) / mine))
    # One after the other into the database.
    store = c.seconds("event") + c.trips("event", "triggerer") * trip
    persist = asked.watchers * each * store / asked.triggerers + c.idle_trips("triggerer") * trip
    each /= max(1.0, persist)
    events = asked.watchers * each
    turns = events if asked.pattern == "single" else 0.0

    # From events to runs: at most one per Dag and pass. Those that a trigger spaces have one each.
    a_pass = c.seconds("pass") + c.idle_trips("scheduler") * trip
    made = min(each, 1 / a_pass) if spacing >= a_pass else (1 - math.exp(-each * a_pass)) / a_pass
    runs = asked.watchers * asked.dags * made
    tasks = runs * asked.tasks
    links = events * asked.dags

    busy = (
        runs * (c.cpu("run", "scheduler", "postgres") + c.trips("run", "scheduler") * trip)
        + tasks * (c.cpu("task", "scheduler") + c.trips("task", "scheduler") * trip)
        + c.idle_cpu("scheduler")
        + c.idle_trips("scheduler") * trip
    )
    slot = c.seconds("task") + asked.task_seconds + c.trips("task", "api") * trip
    life = c.seconds("run") + asked.tasks * slot
    cores = (
        c.idle_cpu()
        + (asked.triggerers - 1) * c.idle_cpu("triggerer", "runner")
        + events * c.cpu("event")
        + turns * c.cpu("turn")
        + runs * c.cpu("run")
        + tasks * c.cpu("task")
    )
    loads = {
        "turn": turn,
        "persist": persist,
        "scheduler": busy,
        "active": made * life / asked.active,
        "slots": tasks * slot / asked.slots,
        "api": tasks * (c.cpu("task", "api") + c.trips("task", "api") * trip),
        "cpu": cores / asked.cores,
        "capacity": asked.watchers / (asked.triggerers * asked.capacity),
    }

    # Delays: half a poll, half a turn or a queue before it, then what was measured with nothing else to do.
    if asked.pattern == "stream":
        before = 0.0
    elif batch > 1:
        before = spacing / 2 * (1 - math.exp(-mine * spacing)) if turn <= HEADROOM else math.inf
    else:
        before = _queue(turn, spacing)
    to_event = asked.poll / 2 + before + _queue(persist, store) + c.trips("event", "triggerer") * trip
    to_event += c.seconds("to_event")
    late = 1 - made / each
    to_run = to_event + c.seconds("to_run") + late * a_pass + c.trips("run", "scheduler") * trip + _queue(busy, a_pass)
    to_task = to_run + c.seconds("to_task") + c.trips("task") * trip
    for name, one in (("active", life), ("slots", slot), ("api", slot), ("cpu", slot)):
        to_task += _queue(loads[name], one)

    def total(kind: str) -> float:
        return (
            c.idle(kind)
            + (asked.triggerers - 1) * c.idle(kind, "triggerer")
            + c.parsing(kind, asked)
            + events * c.cost(kind, "event")
            + turns * c.cost(kind, "turn")
            + runs * c.cost(kind, "run")
            + tasks * c.cost(kind, "task")
        )

    per_second = {"event": events, "link": links, "run": runs, "task": tasks}
    return Foreseen(
        events=events,
        runs=runs,
        tasks=tasks,
        idle_statements=c.idle("statements")
        + (asked.triggerers - 1) * c.idle("statements", "triggerer")
        + c.parsing("statements", asked),
        statements=total("statements"),
        writes=total("writes"),
        rows=sum(count * c.rows(cause) for cause, count in per_second.items()),
        bytes=sum(count * c.bytes(cause) for cause, count in per_second.items()),
        cores=cores,
        to_event=to_event,
        to_run=to_run,
        to_task=to_task,
        loads=loads,
        limit=max(loads, key=lambda name: loads[name]),
        sustained=0.0,
    )


def _queue(load: float, service: float) -> float:
    """Return how long one waits, on average, for those before (M/D/1): not at all at rest, for ever when full."""
    if load >= HEADROOM:
        return math.inf
    return service * load / (2 * (1 - load))
