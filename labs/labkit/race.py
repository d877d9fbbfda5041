"""Races: several Dags handle the same stream of messages, and what each took for it is measured.

A racer is a Dag that reads a topic with a consumer group of its own; `lab.toml` says which there are. For each message
it notes as an XCom when its work began and ended. Everything else is read from outside: the metadata database, its log
of changes, the broker.

A race takes its racers one at a time, so that none slows another down and rows can be told apart; or all together,
each a little after the one before, where messages are rare and it is the waiting that is measured.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit import arrivals, drawing
from labkit.airflow import usage
from labkit.airflow.api import Api
from labkit.brokers import client
from labkit.drawing import Span
from labkit.errors import LabError
from labkit.i18n import listed
from labkit.trace import as_text
from labkit.waiting import until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    import pandas as pd

    from labkit.airflow.metadata import Metadata
    from labkit.brokers import Message
    from labkit.config import Racer
    from labkit.drawing import Drawing
    from labkit.stack import Stack

READY = 60.0
"""Seconds until a racer that does not begin to wait is given up."""
PATIENCE = 90.0
"""Seconds after the last message until the race ends, whatever has not been handled."""
STALLED = 12.0
"""Seconds without news of anyone, all messages sent, after which nobody is going to handle any more."""
AFTER = 2.0
"""Seconds after the end of the last work that charts show and slots are counted for."""
AT_REST = 8.0
"""Seconds to wait until a racer that has handled everything is back where it began."""
APART = 0.7
"""Seconds between the starts of two racers that race together."""
TICK = 0.1
"""Seconds between two looks at the worker slots."""


@dataclass(frozen=True)
class Stream:
    """The messages of a race.

    Attributes:
        name: For charts and files.
        events: How many.
        rate: How many a second, on average.
        seed: They come at random times that this number repeats; None for times like a clock's.
        together: Whether all racers get them side by side.
    """

    name: str
    events: int
    rate: float
    seed: int | None
    together: bool = False

    def arrivals(self) -> list[float]:
        """Return when the messages come, in seconds after the first."""
        return arrivals.poisson(self.events, self.rate, self.seed)


SPARSE = Stream("sparse", events=4, rate=0.25, seed=34, together=True)
BURST = Stream("burst", events=6, rate=4, seed=34)


def with_seed(stream: Stream, seed: int | None) -> Stream:
    """Return the stream with other arrivals, or as it is where no seed is given."""
    return stream if seed is None else dataclasses.replace(stream, seed=seed)


@dataclass(frozen=True)
class Result:
    """What one racer did and took. Times are seconds after its first message was sent.

    Attributes:
        racer: Who.
        sent: When each message was sent.
        delays: From each message to the beginning of its work; None where it was not handled in time.
        runs: Dag runs made, the one included that waits for the next message.
        instances: Task instances that began.
        spans: When tasks waited for messages, and when they worked.
        slots: Worker slots taken, as (moment, how many) pairs; each holds until the next.
        written: Rows written to the metadata database, by table; None in a race of several together.
    """

    racer: Racer
    sent: list[float]
    delays: list[float | None]
    runs: int
    instances: int
    spans: list[Span]
    slots: list[tuple[float, int]]
    written: dict[str, int] | None

    @property
    def handled(self) -> int:
        """How many messages were handled in time."""
        return sum(delay is not None for delay in self.delays)

    @property
    def median(self) -> float | None:
        """The delay that half of the messages stay below, in seconds."""
        known = [delay for delay in self.delays if delay is not None]
        return statistics.median(known) if known else None

    @property
    def longest(self) -> float | None:
        """The longest delay, in seconds."""
        return max((delay for delay in self.delays if delay is not None), default=None)

    @property
    def slot_seconds(self) -> float:
        """Worker slots times seconds, from the first message to the end."""
        pairs = itertools.pairwise(self.slots)
        return sum(taken * (after - max(moment, 0)) for (moment, taken), (after, _) in pairs if after > 0)


@dataclass(frozen=True)
class Race:
    """A race that is over: a table, and charts of it."""

    stream: Stream
    results: list[Result]

    @property
    def table(self) -> pd.DataFrame:
        """One row a racer: messages handled, delays, Dag runs, task instances, slot seconds, rows written."""
        import pandas as pd  # noqa: PLC0415

        rows = [
            {
                "racer": one.racer.name,
                "handled": f"{one.handled}/{len(one.delays)}",
                "median s": _rounded(one.median),
                "longest s": _rounded(one.longest),
                "runs": one.runs,
                "tasks": one.instances,
                "slot s": round(one.slot_seconds, 1),
                "rows": "" if one.written is None else sum(one.written.values()),
            }
            for one in self.results
        ]
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, border=0))

    def __repr__(self) -> str:
        return str(self.table.to_string(index=False))

    def __getitem__(self, name: str) -> Result:
        """Return the result of the racer of that name."""
        return next(one for one in self.results if one.racer.name == name)

    def gantt(self) -> Drawing:
        """Return a lane a racer: when its tasks waited, when they worked. Dotted lines are the messages."""
        return drawing.gantt([span for one in self.results for span in one.spans], marks=self.results[0].sent)

    def delays(self) -> Drawing:
        """Return each message's delay until its work began."""
        groups = {one.racer.name: [delay for delay in one.delays if delay is not None] for one in self.results}
        return drawing.dots(groups)

    def slots(self) -> Drawing:
        """Return the worker slots that each racer took over time."""
        return drawing.levels({one.racer.name: one.slots for one in self.results}, what="slots")

    def writes(self) -> Drawing | None:
        """Return the rows written to the metadata database; None where they could not be told apart."""
        if any(one.written is None for one in self.results):
            return None
        rows = {one.racer.name: one.written or {} for one in self.results}
        return drawing.bars(rows, unit="rows")

    def charts(self) -> dict[str, Drawing]:
        """Return all charts, by name."""
        found = {"gantt": self.gantt(), "delays": self.delays(), "slots": self.slots(), "rows": self.writes()}
        return {name: chart for name, chart in found.items() if chart}


@dataclass
class Standing:
    """How far a racer is, for whoever watches.

    Attributes:
        racer: Who.
        stream: What it races on.
        phase: What happens to it now.
        handled: How many messages it has handled.
        slots: How many worker slots it takes.
    """

    racer: Racer
    stream: Stream
    phase: str = "waits"
    handled: int = 0
    slots: int = 0


def run(stack: Stack, racers: Sequence[Racer], stream: Stream, tell: Callable[[Standing], None] | None = None) -> Race:
    """Let racers handle a stream, and measure. Their Dags are paused again afterwards, and none waits any more.

    Args:
        stack: A running stack that has the racers' Dags, and a Kafka.
        racers: Who.
        stream: What is sent to each of them.
        tell: Called whenever there is news of a racer.

    Raises:
        LabError: The stack has not what is needed, or a racer did not get ready.
    """
    check(stack, racers)
    heats = [list(racers)] if stream.together else [[racer] for racer in racers]
    results = []
    for heat in heats:
        results += _Heat(stack, heat, stream, tell or (lambda _: None)).run()
    return Race(stream, results)


def check_broker(stack: Stack) -> None:
    """Raise where a stand-in is the broker."""
    if stack.broker.name != "kafka":
        raise LabError("race.mock")


def check(stack: Stack, racers: Sequence[Racer]) -> None:
    """Raise unless the stack has all that a race of these needs."""
    check_broker(stack)
    with stack.metadata() as metadata:
        dags = metadata.dags()
    missing = [racer.dag for racer in racers if racer.dag not in dags]
    if missing:
        raise LabError("race.no_dag", dags=listed(missing))


@dataclass
class _Heat:
    """Racers that get a stream side by side; often one alone."""

    stack: Stack
    racers: list[Racer]
    stream: Stream
    tell: Callable[[Standing], None]
    _metadata: Metadata = field(init=False)
    _api: Api = field(init=False)
    _samples: dict[str, list[tuple[float, int]]] = field(init=False)
    _latest: float = field(init=False, default=0.0)
    # Message numbers of no other race: what an earlier one left over is not taken for one of this.
    _before: int = field(init=False, default_factory=lambda: int(time.time() * 1000))

    def run(self) -> list[Result]:
        self._standings = {racer.dag: Standing(racer, self.stream) for racer in self.racers}
        self._samples = {racer.dag: [] for racer in self.racers}
        with self.stack.metadata() as self._metadata, Api(self.stack.state) as self._api:
            since = self._now()
            try:
                self._line_up()
                if len(self.racers) > 1:
                    return self._race(since, None)
                with usage.Changes(self.stack.state) as changes:
                    return self._race(since, changes)
            finally:
                self._clear_away()

    def _now(self) -> dt.datetime:
        """Return the database's time, which its rows carry."""
        moment: dt.datetime = self._metadata.rows("SELECT now() AS now")[0]["now"]
        return moment

    def _stalled(self) -> bool:
        """Tell whether nothing has happened for so long that nothing will."""
        return time.monotonic() - self._latest > STALLED

    def _news(self, racer: Racer, **changes: Any) -> None:
        standing = self._standings[racer.dag]
        if any(getattr(standing, name) != value for name, value in changes.items()):
            self._latest = time.monotonic()
            for name, value in changes.items():
                setattr(standing, name, value)
            self.tell(standing)

    # Before -------------------------------------------------------------------------------------------------------

    def _line_up(self) -> None:
        """Let the racers begin to wait, and return when each has a consumer that will get the messages."""
        if any(self._members().values()):
            self._clear_away()  # a race that was killed, or somebody who let one of the Dags go on
        for racer in self.racers:
            self._news(racer, phase="lines_up")
            client.skip_to_end(self.stack.state.bootstrap, racer.group, racer.topic)
            self._api.set_paused(racer.dag, paused=False)
            if not racer.sensor:
                self._api.reparse(racer.dag)  # a watcher comes with the parse that finds the Dag not paused
        try:
            until(lambda: all(count for count in self._members().values()), seconds=READY, pause=0.2)
        except TimeoutError as error:
            late = [racer.name for racer in self.racers if not self._members()[racer.group]]
            raise LabError("race.not_ready", racers=listed(late), seconds=f"{READY:.0f}") from error

    def _members(self) -> dict[str, int]:
        return client.members(self.stack.state.bootstrap, [racer.group for racer in self.racers])

    # The race -----------------------------------------------------------------------------------------------------

    def _race(self, since: dt.datetime, changes: usage.Changes | None) -> list[Result]:
        self._latest = time.monotonic()
        with ThreadPoolExecutor(1) as sender:
            sending = sender.submit(self._send)
            end = self.stream.arrivals()[-1] + APART * len(self.racers) + PATIENCE
            _quietly(lambda: (self._look(since) or self._stalled()) and sending.done(), end, TICK)
            sent = sending.result()
        notes = self._notes(since)  # what comes later is too late
        _quietly(lambda: self._look(since) and self._all_at_rest(), AT_REST, TICK)
        written = dict(changes.count()) if changes else None
        latest = max((note["ended"] for found in notes.values() for note in found.values()), default=time.time())
        self._samples = {
            dag: [pair for pair in pairs if pair[0] <= latest + AFTER] for dag, pairs in self._samples.items()
        }
        return [self._result(racer, since, sent[racer.topic], notes[racer.dag], written) for racer in self.racers]

    def _send(self) -> dict[str, list[Message]]:
        """Send every racer its stream, each a little after the one before; returns what the broker acknowledged."""
        plan = sorted(
            (offset + APART * place, number, racer.topic)
            for place, racer in enumerate(self.racers)
            for number, offset in enumerate(self.stream.arrivals(), start=self._before + 1)
        )
        sender = client.Sender(self.stack.state.bootstrap)
        for position in arrivals.paced(offset for offset, _, _ in plan):
            _, number, topic = plan[position]
            sender.send(topic, as_text({"order_id": number}))
        found: dict[str, list[Message]] = {racer.topic: [] for racer in self.racers}
        for message in sender.finish():
            found[message.topic].append(message)
        return found

    def _notes(self, since: dt.datetime) -> dict[str, dict[int, dict[str, Any]]]:
        """Return for each Dag what it noted of each message: number, from 1 → when work began and ended."""
        found: dict[str, dict[int, dict[str, Any]]] = {racer.dag: {} for racer in self.racers}
        for dag, note in usage.notes(self._metadata, found, since):
            number = note["order_id"] - self._before
            if 1 <= number <= self.stream.events:
                found[dag].setdefault(number, note)
        return found

    def _look(self, since: dt.datetime) -> bool:
        """Take a sample of the worker slots; tells whether every message has been handled."""
        taken = usage.slots(self._metadata, self._samples)
        notes = self._notes(since)
        for racer in self.racers:
            self._samples[racer.dag].append((time.time(), taken[racer.dag]))
            self._news(racer, phase="races", handled=len(notes[racer.dag]), slots=taken[racer.dag])
        return all(len(found) == self.stream.events for found in notes.values())

    def _all_at_rest(self) -> bool:
        """Tell whether each racer does nothing but wait, as it did before the race."""
        return all(self._at_rest(racer) for racer in self.racers)

    def _at_rest(self, racer: Racer) -> bool:
        if not racer.sensor:
            return not usage.unfinished(self._metadata, racer.dag)
        query = "SELECT task_id, state FROM task_instance WHERE dag_id = %s AND state IN ('running', 'deferred')"
        rows = self._metadata.rows(query, [racer.dag])
        return [row["task_id"] for row in rows] == [racer.sensor] and bool(self._members()[racer.group])

    # After --------------------------------------------------------------------------------------------------------

    def _result(
        self,
        racer: Racer,
        since: dt.datetime,
        sent: list[Message],
        notes: dict[int, dict[str, Any]],
        written: dict[str, int] | None,
    ) -> Result:
        moments = [message.produced_at.timestamp() for message in sent]
        start = moments[0]
        delays = [
            notes[number]["began"] - moment if number in notes else None
            for number, moment in enumerate(moments, start=1)
        ]
        samples = self._samples[racer.dag]
        end = samples[-1][0] - start
        instances = usage.instances(self._metadata, racer.dag, since)
        waits = [
            Span(
                racer.name, max(-1.0, one.began.timestamp() - start), min(end, _seconds(one.ended, start, end)), "waits"
            )
            for one in instances
            if one.task == racer.sensor
        ]
        works = [Span(racer.name, note["began"] - start, note["ended"] - start, "works") for note in notes.values()]
        self._news(racer, phase="done")
        return Result(
            racer=racer,
            sent=[moment - start for moment in moments],
            delays=delays,
            runs=usage.runs(self._metadata, racer.dag, since),
            instances=len(instances),
            spans=[span for span in waits if span.end > span.begin] + works,
            slots=_steps([(moment - start, taken) for moment, taken in samples]),
            written=written,
        )

    def _clear_away(self) -> None:
        """Pause the Dags, end the runs that still wait, and see that nobody reads the topics any more."""
        sender = client.Sender(self.stack.state.bootstrap)
        for racer in self.racers:
            self._api.set_paused(racer.dag, paused=True)
            if racer.sensor:
                # What waits takes this and ends by itself, at once; a task whose run is ended would go on until its
                # next heartbeat. The Dag is paused: nobody will handle it.
                sender.send(racer.topic, as_text({"order_id": 0}))
            else:
                self._api.reparse(racer.dag)
        sender.finish()
        _quietly(lambda: not any(self._members().values()), READY / 2, TICK)
        for racer in self.racers:
            for run_id in usage.unfinished(self._metadata, racer.dag):
                # A run can be deleted only when it is over; its tasks are stopped when it is said to have failed.
                self._api.call("PATCH", f"dags/{racer.dag}/dagRuns/{run_id}", json={"state": "failed"})
                self._api.call("DELETE", f"dags/{racer.dag}/dagRuns/{run_id}")


def _quietly(condition: Callable[[], object], seconds: float, pause: float) -> bool:
    """Wait until a condition holds, or some seconds; tells which."""
    try:
        return bool(until(condition, seconds=seconds, pause=pause))
    except TimeoutError:
        return False


def _seconds(moment: dt.datetime | None, start: float, otherwise: float) -> float:
    return moment.timestamp() - start if moment else otherwise


def _steps(pairs: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Leave out the pairs that repeat the value before them, save for the last."""
    kept = [pair for before, pair in zip([None, *pairs], pairs, strict=False) if before is None or before[1] != pair[1]]
    return kept if kept[-1] == pairs[-1] else [*kept, pairs[-1]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
