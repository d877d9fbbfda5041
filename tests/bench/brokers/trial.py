"""One stream of events, each followed from its source into an asset event and into a Dag run that succeeded."""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit import arrivals
from labkit.airflow import usage
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labkit.airflow.metadata import Metadata
    from tests.bench.brokers.contenders import Contender
    from tests.bench.brokers.sources import Source

GROWTH = 2.0
"""Seconds by which the median delay of a stream's last third may exceed that of its first."""
PATIENCE = 45.0
"""Seconds after a stream's end until it is given up, whatever is still on its way."""
STALLED = 5.0
"""Seconds without news, everything sent, after which nothing more is going to happen."""
TICK = 0.25
"""Seconds between two looks into the metadata database."""

_EVENTS = """
    SELECT e.id, extract(epoch FROM e.timestamp)::float8 AS at, e.extra::jsonb -> 'payload' AS payload
    FROM asset_event e JOIN asset a ON a.id = e.asset_id
    WHERE e.id > %s AND a.name = ANY(%s) ORDER BY e.id
"""
_RUNS = """
    SELECT link.event_id AS event, r.id AS run, r.state, extract(epoch FROM t.start_date)::float8 AS began,
           extract(epoch FROM t.end_date)::float8 AS ended, x.value AS counted
    FROM dagrun_asset_event link
    JOIN dag_run r ON r.id = link.dag_run_id
    JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id
    LEFT JOIN xcom x ON x.dag_run_id = r.id AND x.key = 'return_value'
    WHERE r.dag_id = %s AND link.event_id > %s
"""


def poisson(count: int, seconds: float, seed: int) -> list[float]:
    """Return when `count` events are sent within some seconds, in order: a Poisson stream of which the count is known.

    The seed repeats it.
    """
    chance = random.Random(seed)  # noqa: S311  a reproducible stream, not a secret
    return sorted(chance.uniform(0, seconds) for _ in range(count))


def jittered(count: int, seconds: float, seed: int) -> list[float]:
    """Return the same with one event in each of `count` equal spans, at a random moment of it.

    A stream that is searched with has to have its rate throughout: by chance, a dozen events of a Poisson stream come
    mostly at the end, and would look like a queue that grows.
    """
    chance = random.Random(seed)  # noqa: S311  a reproducible stream, not a secret
    return [seconds * (position + chance.random()) / count for position in range(count)]


def even(count: int, seconds: float) -> list[float]:
    """Return the same at equal distances, like a clock."""
    return [seconds * position / count for position in range(count)]


@dataclass(frozen=True)
class Trial:
    """What became of a stream. Moments are seconds since the epoch, by the one clock of this machine.

    Attributes:
        rate: Events a second; None where all were sent at once.
        sent: Number → when.
        recorded: Number → when the asset event that tells of it was made.
        begun: Number → when a task that was given it began, of runs that succeeded.
        stranded: How many were recorded, but got into no run until another event came.
        doubled: How many were told of more than once.
        runs: How many runs they made.
        counted: How many messages the runs' tasks counted.
        ended: When the last run ended.
    """

    rate: float | None
    sent: dict[int, float]
    recorded: dict[int, float]
    begun: dict[int, float]
    stranded: int
    doubled: int
    runs: int
    counted: int
    ended: float

    @property
    def lost(self) -> int:
        """How many never became an asset event."""
        return len(self.sent) - len(self.recorded)

    def delays(self, reached: dict[int, float]) -> list[float]:
        """Return the seconds from source to a place, of those that reached it, in the order of sending."""
        return [reached[number] - at for number, at in self.sent.items() if number in reached]

    @property
    def growth(self) -> float:
        """By how many seconds the median delay until the asset event of the last third exceeds that of the first."""
        return growth(self.delays(self.recorded))

    @property
    def growth_begun(self) -> float:
        """The same until the task began."""
        return growth(self.delays(self.begun))

    @property
    def holds(self) -> bool:
        """Whether the rate is sustained: all recorded, and those that came last did not wait longer."""
        return not self.lost and self.growth <= GROWTH

    @property
    def holds_in_runs(self) -> bool:
        """Whether it is sustained all the way: each has been in a run that succeeded, without another's help."""
        return self.holds and not self.stranded and len(self.begun) == len(self.sent) and self.growth_begun <= GROWTH


def growth(delays: Sequence[float]) -> float:
    """Return by how much the median of the last third of some delays exceeds that of the first; 0 of fewer than 3."""
    third = len(delays) // 3
    if not third:
        return 0.0
    return statistics.median(delays[-third:]) - statistics.median(delays[:third])


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that a share of the values does not exceed; None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


@dataclass
class Follower:
    """Reads what becomes of the events of one Dag, from now on."""

    metadata: Metadata
    dag: str
    assets: Sequence[str]
    source: Source
    recorded: dict[int, float] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    doubled: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    linked: set[int] = field(default_factory=set)
    latest: float = field(default_factory=time.monotonic)
    _carried: dict[int, list[int]] = field(default_factory=dict)
    _before: int = 0
    _seen: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Note where the table ends now."""
        self._before = int(self.metadata.rows("SELECT coalesce(max(id), 0) AS id FROM asset_event")[0]["id"])
        self._last = self._before

    def look(self, wanted: dict[int, float]) -> None:
        """Read what is new; events that are not wanted are of an earlier stream."""
        for row in self.metadata.rows(_EVENTS, [self._last, list(self.assets)]):
            self._last = row["id"]
            numbers = [number for number in self.source.numbers(row["payload"]) if number in wanted]
            self._carried[row["id"]] = numbers
            for number in numbers:
                self.doubled += number in self.recorded
                self.recorded.setdefault(number, row["at"])
        for row in self.metadata.rows(_RUNS, [self.dag, self._before]):
            numbers = self._carried.get(row["event"], [])
            self.linked.update(numbers)
            if row["state"] == "success":
                self.counts[row["run"]] = int(row["counted"] or 0)
                self.ended[row["run"]] = row["ended"]
                for number in numbers:
                    self.begun.setdefault(number, row["began"])
        seen = (len(self.recorded), len(self.linked), len(self.begun))
        if seen != self._seen:
            self._seen, self.latest = seen, time.monotonic()

    def done(self, wanted: dict[int, float]) -> bool:
        """Tell whether every wanted event has been in a run that succeeded."""
        return len(self.begun) == len(wanted)

    @property
    def events(self) -> int:
        """How many asset events carried what is followed."""
        return sum(bool(numbers) for numbers in self._carried.values())

    @property
    def stalled(self) -> bool:
        """Whether nothing has happened for so long that nothing will."""
        return time.monotonic() - self.latest > STALLED

    @property
    def stranded(self) -> set[int]:
        """The events that were recorded and are in no run."""
        return self.recorded.keys() - self.linked


def run(
    metadata: Metadata,
    contender: Contender,
    source: Source,
    numbers: Sequence[int],
    offsets: Sequence[float],
    *,
    rate: float | None,
    closing: Callable[[], int],
    tell: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Send a stream, follow it to its end, and bring in what was stranded, so that the next stream begins clean.

    Args:
        metadata: The metadata database.
        contender: Whose Dag is awake.
        source: Where to send.
        numbers: The events' numbers, used by no other stream.
        offsets: When each is sent, in seconds from now; all 0 for a backlog.
        rate: Events a second, for the record.
        closing: Makes the number of an event that brings in what was stranded.
        tell: Called with how far it is.
    """
    follower = Follower(metadata, contender.dag, contender.assets, source)
    sent: dict[int, float] = {}

    def send() -> None:
        if not offsets[-1]:
            sent.update(dict.fromkeys(numbers, time.time()))
            source.send_all(numbers)
            return
        for position in arrivals.paced(offsets):
            sent[numbers[position]] = time.time()
            source.send(numbers[position])

    def look() -> bool:
        follower.look(dict.fromkeys(numbers, 0.0))
        tell(f"{len(sent)} sent, {len(follower.recorded)} recorded, {len(follower.begun)} in runs")
        over = follower.done(sent) or (follower.stalled and not usage.unfinished(metadata, contender.dag))
        return sending.done() and over

    with ThreadPoolExecutor(1) as sender:
        sending = sender.submit(send)
        with contextlib.suppress(TimeoutError):
            until(look, seconds=offsets[-1] + PATIENCE, pause=TICK)
        sending.result()
    stranded = len(follower.stranded)
    begun = dict(follower.begun)  # what comes by the closing event's help does not count
    for _ in range(3):
        if not follower.stranded:
            break
        source.send(closing())
        follower.latest = time.monotonic()
        with contextlib.suppress(TimeoutError):
            until(lambda: look() and not follower.stranded, seconds=2 * STALLED, pause=TICK)
    source.finish()
    return Trial(
        rate=rate,
        sent=sent,
        recorded=dict(follower.recorded),
        begun=begun,
        stranded=stranded,
        doubled=follower.doubled,
        runs=len(follower.counts),
        counted=sum(follower.counts.values()),
        ended=max(follower.ended.values(), default=time.time()),
    )


def taken_out(trial: Trial) -> float | None:
    """Return at which rate a backlog became asset events, after the first; None where it was one event, or none."""
    moments_ = sorted(trial.recorded.values())
    rest = [moment for moment in moments_ if moment > moments_[0]] if moments_ else []
    return len(rest) / (rest[-1] - moments_[0]) if rest else None


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return median and 95th percentile of some seconds, for the record."""
    middle, high = quantile(values, 0.5), quantile(values, 0.95)
    return {
        "p50": None if middle is None else round(middle, 2),
        "p95": None if high is None else round(high, 2),
    }
