"""Lets something go wrong while messages come in, and counts what became of them.

Three messages, one after the other: a first one that all is well with, a second one that the fault falls upon, a third
one when all is mended. Where it matters, the fault comes at a moment that chance has no part in: the trigger has the
second message from the broker, the triggerer is about to write it, and the database has not got it
(`labkit.airflow.gate`).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import scale
from labkit.airflow import queueing
from labkit.airflow.api import Api
from labkit.airflow.gate import Gate
from labkit.brokers import client, shop, sources
from labkit.config import in_language
from labkit.errors import LabError, usage_error
from labkit.stack.lane import SECOND_TRIGGERER, TRIGGERER
from labkit.waiting import until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from labkit.config import Target
    from labkit.stack import Stack

FAULTS = (
    "none",
    "kill-triggerer",
    "lose-triggerer",
    "freeze-triggerer",
    "stop-broker",
    "cut-database",
    "kill-scheduler",
    "duplicate",
    "poison",
)
"""What can go wrong: on the command line, and in tables."""
LASTS = {"freeze-triggerer": 45.0, "stop-broker": 10.0}
"""Seconds that a fault lasts where nobody says otherwise."""
POISON = "malformed"
"""A message that is no JSON."""

LATE = 10.0
"""Seconds after which a message counts as served late; when all is well it takes one to three."""
READY = 90.0
"""Seconds until a watcher has to be there."""
USUAL = 60.0
"""Seconds for a message when all is well."""
MENDED = 120.0
"""Seconds for a message after a fault: Airflow takes a triggerer for dead after 30 (`triggerer_health_check_threshold`)
and a broker takes a consumer for dead after 6 (`session.timeout.ms`)."""
QUIET = 3.0
"""Seconds without anything that waits, runs or is unread, after which nothing more will come."""


@dataclass(frozen=True)
class Outcome:
    """What became of the messages.

    Attributes:
        scheme: Where they came from.
        fault: What went wrong.
        published: How many messages were sent.
        wanted: How many different ones.
        events: How many asset events they made.
        runs: How many runs there were.
        failed: How many of the runs failed.
        served: How many different messages were served.
        servings: How often any was.
        refused: How many dead letters there are.
        delays: For each message that was served the seconds from the broker to there, in the order of sending.
    """

    scheme: str
    fault: str
    published: int
    wanted: int
    events: int
    runs: int
    failed: int
    served: int
    servings: int
    refused: int
    delays: tuple[float, ...]

    @property
    def lost(self) -> int:
        """How many were neither served nor put aside as dead letters."""
        return max(0, self.wanted - self.served - self.refused)

    @property
    def doubled(self) -> int:
        """How often a message was served that had been served before."""
        return self.servings - self.served

    @property
    def late(self) -> int:
        """How many were served late."""
        return sum(1 for delay in self.delays if delay > LATE)

    @property
    def longest(self) -> float | None:
        """The longest delay in seconds, None where nothing was served."""
        return max(self.delays, default=None)

    @property
    def row(self) -> dict[str, Any]:
        """All of it, for tables and for JSON."""
        counted = {"lost": self.lost, "doubled": self.doubled, "late": self.late, "longest": self.longest}
        return {**asdict(self), "delays": list(self.delays), **counted}


def run(
    stack: Stack,
    target: Target,
    fault: str,
    seconds: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Let something go wrong and count.

    Args:
        stack: A running stack that has the Dag. It is left as it was found.
        target: Where the messages come from and who serves them.
        fault: One of `FAULTS`.
        seconds: How long it lasts, where it lasts at all.
        tell: Called with the phase that begins: `ready`, `first`, `fault`, `after`, `settle`, `clear`.

    Raises:
        LabError: The fault is not for this source, the watcher does not turn up, or a message is not served although
            nothing is wrong yet.
    """
    check(target, fault)
    return _Chaos(stack, target, fault, LASTS.get(fault, 0) if seconds is None else seconds, tell).run()


def applies(target: Target, fault: str) -> bool:
    """Tell whether a fault can be tried on a source: some would show nothing of it, or what is not so."""
    return fault not in sources.without().get(target.broker, {})


def check(target: Target, fault: str) -> None:
    """Refuse a fault that would show something that is not so.

    Raises:
        LabError: It would.
    """
    if not applies(target, fault):
        reason = in_language(sources.without()[target.broker][fault])
        raise usage_error("chaos.not_for", scheme=target.name, fault=fault, reason=reason)


class _Chaos:
    def __init__(self, stack: Stack, target: Target, fault: str, seconds: float, tell: Callable[[str], None]) -> None:
        self.stack = stack
        self.target = target
        self.fault = fault
        self.seconds = seconds
        self.tell = tell
        self._source = sources.KINDS[target.broker](stack.state, target.topic, target.group)
        self._mark = secrets.token_hex(4)
        self._sent: list[tuple[str, dt.datetime]] = []  # keys, one for each message

    def run(self) -> Outcome:
        with (
            self.stack.metadata() as self._metadata,
            Api(self.stack.state, 30) as self._api,
            self._part(),
            self._triggerers(),
            self._watched(),
        ):
            begin = self._begin = queueing.mark(self._metadata)
            dead = self._dead()
            self.tell("first")
            self._send("1")
            self._wait(lambda: self._is_served("1"), USUAL, "chaos.no_first")
            self.tell("fault")
            getattr(self, "_" + self.fault.replace("-", "_"))()
            self.tell("after")
            self._send("3")
            _quietly(lambda: self._is_served("3") or self._stranded(begin), MENDED)
            self.tell("settle")
            self._settle()
            if self._stranded(begin) and self._missing():
                # Stranded events are not lost: they wait for one more.
                self._send("4")
                _quietly(lambda: self._is_served("4"), USUAL)
                self._settle()
            return self._outcome(begin, self._dead() - dead)

    # Before and after ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _part(self) -> Iterator[None]:
        """Have the part that the source lives in; one that did not run is stopped again."""
        part = self._source.part
        ran = not part or any(one.name == part and one.state == "running" for one in self.stack.parts())
        try:
            if not ran:
                self._start(part)
            yield
        finally:
            if not ran:
                self.stack.stop_part(part)

    @contextlib.contextmanager
    def _triggerers(self) -> Iterator[None]:
        """Have the triggerers afterwards that there were before."""
        ran = {one.name for one in self.stack.parts() if one.state in {"running", "starting"}}
        try:
            yield
        finally:
            for name in ran:
                if scale.split(name)[0] == TRIGGERER:
                    self.stack.start_part(name)  # harmless where it runs
            if SECOND_TRIGGERER not in ran:
                self.stack.stop_part(SECOND_TRIGGERER)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Have the Dag un-paused and its watcher there; afterwards it is as before."""
        self.tell("ready")
        dag = self.target.dag
        self._wait(lambda: dag in self._metadata.dags(), READY, "chaos.not_parsed")
        found = self._metadata.dags()[dag]
        try:
            if found["is_paused"]:
                self._leave()  # of somebody who was interrupted a moment ago
                self._source.forget()
                self._api.forget_queued(dag)  # the first message would be stranded behind what waits there
                self._api.set_paused(dag, paused=False)
                self._api.reparse(dag)
            self._wait(lambda: self._is_watched() and self._source.has_readers(), READY, "chaos.not_ready")
            yield
        finally:
            self._source.clear()
            if found["is_paused"]:
                self.tell("clear")
                self._api.set_paused(dag, paused=True)
                self._api.reparse(dag)
                self._leave()

    def _leave(self) -> None:
        """Wait until nobody watches and nobody reads."""
        kafka = self.target.broker == "kafka"  # a group keeps its members for some seconds after they died
        _quietly(lambda: not self._is_watched() and not (kafka and self._source.has_readers()), READY)

    def _is_watched(self) -> bool:
        return any(one.asset == self.target.asset and one.triggerer for one in self._metadata.watchers())

    # Messages -----------------------------------------------------------------------------------------------------

    def _send(self, number: str) -> None:
        key = f"{self._mark}-{number}"
        self._publish(key, json.dumps({"order_id": key}))

    def _publish(self, key: str, text: str) -> None:
        _quietly(self._source.can_send, READY)
        self._sent.append((key, self._source.send(text)))

    def _servings(self) -> list[tuple[str, dt.datetime]]:
        """Return which messages were served, and when."""
        state, table = self.stack.state, self.target.table
        if not table:
            told = queueing.returned(self._metadata, self.target.dag, self._begin)
            names = [(str(name), at) for value, at in told if isinstance(value, list) for name in value]
            # A learner's trigger may tell a file's whole path.
            return [(Path(name).name, at) for name, at in names if Path(name).name.startswith(f"{self._mark}-")]
        if shop.run(state, "SELECT to_regclass(%(table)s) AS there", {"table": table})[1][0]["there"] is None:
            return []
        query = f"SELECT order_id, served_at FROM {table} WHERE order_id LIKE %(keys)s ORDER BY served_at"  # noqa: S608  checked in `config`
        return [(row["order_id"], row["served_at"]) for row in shop.run(state, query, {"keys": f"{self._mark}-%"})[1]]

    def _is_served(self, number: str) -> bool:
        return any(key == f"{self._mark}-{number}" for key, _ in self._servings())

    def _stranded(self, begin: queueing.Mark) -> bool:
        """Tell whether an event has no run, and nothing waits that would make it one."""
        left = queueing.count(self._metadata, self.target.dag, [self.target.asset], begin).left
        return bool(left) and not queueing.pending(self._metadata, [self.target.dag])

    def _events(self) -> int:
        """Return how many events the messages have made so far; other Dags' are none of ours."""
        return queueing.count(self._metadata, self.target.dag, [self.target.asset], self._begin).events

    def _missing(self) -> bool:
        return not {key for key, _ in self._sent} <= {key for key, _ in self._servings()}

    def _dead(self) -> int:
        return len(client.letters(self.stack.state.bootstrap, self.target.dead)) if self.target.dead else 0

    def _settle(self) -> None:
        """Wait until all is read, nothing waits and nothing runs, and has not for some seconds."""
        since = time.monotonic()

        def quiet() -> bool:
            nonlocal since
            pending = queueing.pending(self._metadata, [self.target.dag])
            if pending or not self._source.is_read():
                since = time.monotonic()
            return time.monotonic() - since > QUIET

        _quietly(quiet, MENDED)

    def _wait(self, condition: Callable[[], object], seconds: float, error: str) -> None:
        try:
            until(condition, seconds=seconds, pause=0.2)
        except TimeoutError as late:
            raise LabError(error, dag=self.target.dag, seconds=f"{seconds:.0f}") from late

    def _outcome(self, begin: queueing.Mark, refused: int) -> Outcome:
        counted = queueing.count(self._metadata, self.target.dag, [self.target.asset], begin)
        failed = self._metadata.rows(
            "SELECT 1 FROM dag_run WHERE dag_id = %s AND id > %s AND state = 'failed'", [self.target.dag, begin.run]
        )
        servings = self._servings()
        return Outcome(
            scheme=self.target.name,
            fault=self.fault,
            published=len(self._sent),
            wanted=len({key for key, _ in self._sent}),
            events=counted.events,
            runs=len(counted.runs),
            failed=len(failed),
            served=len({key for key, _ in servings}),
            servings=len(servings),
            refused=refused,
            delays=delays(self._sent, servings),
        )

    # Faults -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _at_the_gate(self) -> Iterator[Gate]:
        """Send the second message and yield when the triggerer has it and the database has not."""
        # Another Dag's event may wait there, too: it is not the one that the fault is to fall upon.
        asset = queueing.asset_ids(self._metadata, [self.target.asset])[self.target.asset]
        with Gate(self.stack.state, asset) as gate:
            self._send("2")
            self._wait(gate.waiting, USUAL, "chaos.no_moment")
            yield gate

    def _none(self) -> None:
        """Let nothing go wrong, to compare with."""
        self._send("2")
        _quietly(lambda: self._is_served("2"), USUAL)

    def _kill_triggerer(self) -> None:
        """End both of its processes as a machine does that loses its power; what keeps it starts it again."""
        with self._at_the_gate():
            self.stack.kill(self._runner())

    def _lose_triggerer(self) -> None:
        """End the triggerer that has the watcher, for good: another one has to take over."""
        self.stack.add_triggerer()
        with self._at_the_gate():
            self.stack.kill(self._runner(), for_good=True)
        owners = {self._owner()}
        _quietly(lambda: self._owner() not in owners, MENDED)

    def _owner(self) -> int | None:
        """Return the triggerer that the database says runs the watcher."""
        found = [one.triggerer for one in self._metadata.watchers() if one.asset == self.target.asset]
        return found[0] if found else None

    def _runner(self) -> str:
        """Return the part that runs the watcher: of several triggerers it may be any."""
        owner = self._owner()
        return next((part for part, job in self.stack.triggerers().items() if job == owner), TRIGGERER)

    def _freeze_triggerer(self) -> None:
        """Let it stand still, as a machine does whose memory is swapped, while the gate is opened behind it."""
        with self._at_the_gate() as gate, self.stack.freeze(self._runner()):
            gate.open()
            time.sleep(self.seconds)  # how long it lasts is what the experiment is about

    def _stop_broker(self) -> None:
        """Take the broker away at that moment, and bring it back."""
        part = self._source.part
        try:
            with self._at_the_gate():
                self.stack.stop_part(part)
            time.sleep(self.seconds)  # how long it lasts is what the experiment is about
        finally:
            self._start(part)

    def _start(self, part: str) -> None:
        """Start a part and wait until it answers."""
        broker = self.stack.broker
        if part == broker.name:
            self.stack.start_part(part)
            _quietly(lambda: broker.healthy(self.stack.state), USUAL)
        else:
            self.stack.serve(part)

    def _cut_database(self) -> None:
        """End the connection on which the triggerer writes the event."""
        with self._at_the_gate() as gate:
            gate.cut()

    def _kill_scheduler(self) -> None:
        """End it while an event waits for it."""
        before = self._events()
        with self.stack.hold("scheduler"):
            self._send("2")
            self._wait(lambda: self._events() > before, USUAL, "chaos.no_moment")
            self.stack.kill("scheduler")

    def _duplicate(self) -> None:
        """Send the same message twice, as a producer does that did not hear the broker's answer."""
        self._send("2")
        _quietly(lambda: self._is_served("2"), USUAL)
        with self._arriving():
            self._send("2")

    def _poison(self) -> None:
        """Send a message that nobody can read."""
        with self._arriving():
            self._publish("poison", POISON)

    @contextlib.contextmanager
    def _arriving(self) -> Iterator[None]:
        """Wait until what the block sends is an event or a dead letter: what comes next is not to be mixed up in it."""
        events, dead = self._events(), self._dead()
        yield
        _quietly(lambda: self._events() > events or self._dead() > dead, USUAL / 2)


def delays(sent: Sequence[tuple[str, dt.datetime]], servings: Sequence[tuple[str, dt.datetime]]) -> tuple[float, ...]:
    """Return the seconds from a message's first sending to its first serving, for those that were served."""
    began: dict[str, dt.datetime] = {}
    ended: dict[str, dt.datetime] = {}
    for table, pairs in ((began, sent), (ended, servings)):
        for key, moment in pairs:
            table.setdefault(key, moment)
    return tuple(round((ended[key] - at).total_seconds(), 2) for key, at in began.items() if key in ended)


def _quietly(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition holds, or some seconds; tells which."""
    try:
        return bool(until(condition, seconds=seconds, pause=0.2))
    except TimeoutError:
        return False
