"""Lets something go wrong while messages come in, and counts what became of them.

Three messages, one after the other: a first one that all is well with, a second one that the fault falls upon, a third
one when all is mended. Where it matters, the fault comes at a moment that chance has no part in: the trigger has the
second message from the broker, the triggerer is about to write it, and the database has not got it
(`labkit.airflow.gate`).

Several sources can have one fault in common: each sends its own three messages to its own Dag, and is counted on its
own. A triggerer writes one event after the other, so while one waits at the gate, those of the others wait behind it,
in the memory of the same triggerer: received from their brokers, not in the database. What dies, dies with all of them.
What is lost and what is doubled is therefore what it is for each source alone (`tests/stack/test_lab06_delivery.py`
compares). Seconds may be more, as several runs begin at once when all is mended: so no more than a few should share
(`labkit.cells.AT_ONCE`). Some cannot be where they have to be while another is there; see `check_together`.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labkit import config, scale
from labkit.airflow.api import Api
from labkit.airflow.gate import Gate
from labkit.brokers import sources
from labkit.errors import LabError, usage_error
from labkit.i18n import listed
from labkit.orders import Orders, delays
from labkit.stack.lane import SECOND_TRIGGERER, TRIGGERER
from labkit.waiting import quietly, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
AT_THE_GATE = ("kill-triggerer", "lose-triggerer", "freeze-triggerer", "stop-broker", "cut-database")
"""What comes when the triggerer has a message and the database has not."""
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
BACK = 2.0
"""Seconds that a trigger that ended with its event has to be started again: the triggerer looks once a second."""
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
    return together(stack, [target], fault, seconds, tell)[0]


def together(
    stack: Stack,
    targets: Sequence[Target],
    fault: str,
    seconds: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Let something go wrong once, with messages of several sources on their way, and count each source on its own.

    Args:
        stack: A running stack that has the Dags. It is left as it was found.
        targets: Where the messages come from and who serves them.
        fault: One of `FAULTS`.
        seconds: How long it lasts, where it lasts at all.
        tell: As for `run`.

    Returns:
        What became of each source's messages, in the order of the sources.

    Raises:
        LabError: As for `run`, or the sources cannot share the fault.
    """
    for target in targets:
        check(target, fault)
    check_together(targets, fault)
    return _Chaos(stack, targets, fault, LASTS.get(fault, 0) if seconds is None else seconds, tell).run()


def applies(target: Target, fault: str) -> bool:
    """Tell whether a fault can be tried on a source: some would show nothing of it, or what is not so."""
    return fault not in sources.without().get(target.broker, {})


def check(target: Target, fault: str) -> None:
    """Refuse a fault that would show something that is not so.

    Raises:
        LabError: It would.
    """
    if not applies(target, fault):
        reason = config.in_language(sources.without()[target.broker][fault])
        raise usage_error("chaos.not_for", scheme=target.name, fault=fault, reason=reason)


def check_together(targets: Sequence[Target], fault: str) -> None:
    """Refuse sources whose messages cannot all be where they have to be at one moment.

    Who waits at the gate is seen in the database. Behind it can be whose trigger needs nothing of the triggerer to take
    a message, and whose source shows that it was taken: so no more than one that is not so. And one that acknowledges
    by the clock has to be alone, for the others would take longer.

    Raises:
        LabError: These cannot share this fault.
    """
    if fault not in AT_THE_GATE or len(targets) == 1:
        return
    first = [one.name for one in targets if not one.behind]
    hasty = [one.name for one in targets if one.by_the_clock]
    if hasty:
        raise usage_error("chaos.alone", schemes=listed(hasty), fault=fault)
    if len(first) > 1:
        known = listed(one.name for _, one in config.targets() if one.behind)
        raise usage_error("chaos.apart", schemes=listed(first), fault=fault, others=known)


class _Chaos:
    def __init__(
        self, stack: Stack, targets: Sequence[Target], fault: str, seconds: float, tell: Callable[[str], None]
    ) -> None:
        self.stack = stack
        self.targets = targets
        self.fault = fault
        self.seconds = seconds
        self.tell = tell

    def run(self) -> list[Outcome]:
        with (
            self.stack.metadata() as self._metadata,
            Api(self.stack.state, 30) as self._api,
        ):
            self.all = [Orders(self.stack.state, self._metadata, one) for one in self.targets]
            with self._parts(), self._triggerers(), self._watched():
                return self._counted()

    def _counted(self) -> list[Outcome]:
        for one in self.all:
            one.begin()
        self.tell("first")
        self._send("1")
        self._wait(lambda one: one.is_served("1"), USUAL, "chaos.no_first")
        self.tell("fault")
        getattr(self, "_" + self.fault.replace("-", "_"))()
        self.tell("after")
        self._send("3")
        self._quietly(lambda one: one.is_served("3") or one.stranded(), MENDED)
        self.tell("settle")
        self._settle()
        # Stranded events are not lost: they wait for one more.
        left = [one for one in self.all if one.stranded() and one.missing()]
        if left:
            self._send("4", left)
            self._quietly(lambda one: one.is_served("4"), USUAL, left)
            self._settle()
        return [self._outcome(one) for one in self.all]

    def _outcome(self, one: Orders) -> Outcome:
        counted, servings = one.counted(), one.servings()
        return Outcome(
            scheme=one.target.name,
            fault=self.fault,
            published=len(one.sent),
            wanted=len({key for key, _ in one.sent}),
            events=counted.events,
            runs=len(counted.runs),
            failed=one.failed(),
            served=len({key for key, _ in servings}),
            servings=len(servings),
            refused=one.refused(),
            delays=delays(one.sent, servings),
        )

    # Before and after ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _parts(self) -> Iterator[None]:
        """Have the parts that the sources live in; those that did not run are stopped again."""
        running = {one.name for one in self.stack.parts() if one.state == "running"}
        wanted = [part for part in self._their_parts() if part not in running]
        try:
            for part in wanted:
                self._start(part)
            yield
        finally:
            for part in wanted:
                self.stack.stop_part(part)

    def _their_parts(self) -> list[str]:
        """Return the parts of the stack that the sources live in, each once."""
        return list(dict.fromkeys(one.source.part for one in self.all if one.source.part))

    @contextlib.contextmanager
    def _triggerers(self) -> Iterator[None]:
        """Have one triggerer, the first: what befalls it befalls all watchers. Afterwards there are those of before."""
        ran = {one.name for one in self.stack.parts() if one.state in {"running", "starting"}}
        try:
            if TRIGGERER not in ran:
                self.stack.start_part(TRIGGERER)
            for name in ran - {TRIGGERER}:
                if scale.split(name)[0] == TRIGGERER:
                    self.stack.stop_part(name)
            yield
        finally:
            for name in ran:
                if scale.split(name)[0] == TRIGGERER:
                    self.stack.start_part(name)  # harmless where it runs
            if SECOND_TRIGGERER not in ran:
                self.stack.stop_part(SECOND_TRIGGERER)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Have the Dags un-paused and their watchers there; afterwards they are as before."""
        self.tell("ready")
        self._wait(lambda one: one.target.dag in self._metadata.dags(), READY, "chaos.not_parsed")
        found = self._metadata.dags()
        paused = [one for one in self.all if found[one.target.dag]["is_paused"]]
        try:
            self._quietly(Orders.is_left, READY, paused)  # by somebody who was interrupted a moment ago
            for one in paused:
                one.source.forget()
                self._api.forget_queued(one.target.dag)  # the first message would be stranded behind what waits there
            self._pause(paused, paused=False)
            self._wait(lambda one: one.is_watched() and one.source.has_readers(), READY, "chaos.not_ready")
            yield
        finally:
            for one in self.all:
                one.source.clear()
            if paused:
                self.tell("clear")
                self._pause(paused, paused=True)
                self._quietly(Orders.is_left, READY, paused)

    def _pause(self, some: Iterable[Orders], *, paused: bool) -> None:
        """Pause Dags, or un-pause them, and have them parsed at once: watchers come and go with that."""
        dags = [one.target.dag for one in some]
        for dag in dags:
            self._api.set_paused(dag, paused=paused)
        for dag in dags:
            self._api.reparse(dag)

    # Messages -----------------------------------------------------------------------------------------------------

    def _send(self, number: str, some: Iterable[Orders] | None = None) -> None:
        """Send everybody's message of a number, as soon as each can be sent: nobody has to wait for another."""
        self._sending(lambda one: one.send(number), some)

    def _sending(self, send: Callable[[Orders], None], some: Iterable[Orders] | None = None) -> None:
        left = list(self.all if some is None else some)

        def is_done() -> bool:
            for one in [one for one in left if one.source.can_send()]:
                send(one)
                left.remove(one)
            return not left

        quietly(is_done, READY)
        for one in left:
            send(one)

    def _settle(self) -> None:
        """Wait until all is read, nothing waits and nothing runs, and has not for some seconds."""
        since = time.monotonic()

        def quiet() -> bool:
            nonlocal since
            if any(one.is_pending() or not one.source.is_read() for one in self.all):
                since = time.monotonic()
            return time.monotonic() - since > QUIET

        quietly(quiet, MENDED)

    def _wait(
        self,
        condition: Callable[[Orders], object],
        seconds: float,
        error: str,
        some: Sequence[Orders] | None = None,
    ) -> None:
        """Wait until something holds for all, or for some.

        Raises:
            LabError: It did not come to hold for one; it names the first such.
        """
        some = self.all if some is None else some
        try:
            until(lambda: all(condition(one) for one in some), seconds=seconds, pause=0.2)
        except TimeoutError as late:
            dag = next((one for one in some if not condition(one)), some[0]).target.dag
            raise LabError(error, dag=dag, seconds=f"{seconds:.0f}") from late

    def _quietly(
        self, condition: Callable[[Orders], object], seconds: float, some: Sequence[Orders] | None = None
    ) -> None:
        """Wait until something holds for all, or for some, or some seconds."""
        some = self.all if some is None else some
        quietly(lambda: all(condition(one) for one in some), seconds)

    # Faults -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _at_the_gate(self) -> Iterator[Gate]:
        """Send the second messages and yield when the triggerer has them and the database has none of them.

        The first to come is the one that cannot be behind another.
        """
        first, *others = sorted(self.all, key=lambda one: one.target.behind)
        if others:
            # While one waits at the gate, no trigger can be started: let those be back that end with each event.
            self._wait(lambda one: one.is_watched() and one.source.has_readers(), USUAL, "chaos.not_ready")
            time.sleep(BACK)
        # Another Dag's event may wait there, too: it is not the one that the fault is to fall upon.
        with Gate(self.stack.state, first.asset) as gate:
            self._send("2", [first])
            self._wait(lambda _: gate.waiting(), USUAL, "chaos.no_moment", [first])
            self._send("2", others)
            self._wait(lambda one: one.source.is_taken(), USUAL, "chaos.no_moment", others)
            yield gate

    def _none(self) -> None:
        """Let nothing go wrong, to compare with."""
        self._send("2")
        self._quietly(lambda one: one.is_served("2"), USUAL)

    def _kill_triggerer(self) -> None:
        """End both of its processes as a machine does that loses its power; what keeps it starts it again."""
        with self._at_the_gate():
            self.stack.kill(self._runner())

    def _lose_triggerer(self) -> None:
        """End the triggerer that has the watchers, for good: another one has to take over."""
        self.stack.add_triggerer()  # after the watchers: the first one has them
        with self._at_the_gate():
            self.stack.kill(self._runner(), for_good=True)
        owners = {one.owner for one in self.all}
        self._quietly(lambda one: one.owner not in owners, MENDED)

    def _runner(self) -> str:
        """Return the part that runs the first watcher: of several triggerers it may be any."""
        owner = self.all[0].owner
        return next((part for part, job in self.stack.triggerers().items() if job == owner), TRIGGERER)

    def _freeze_triggerer(self) -> None:
        """Let it stand still, as a machine does whose memory is swapped, while the gate is opened behind it."""
        with self._at_the_gate() as gate, self.stack.freeze(self._runner()):
            gate.open()
            time.sleep(self.seconds)  # how long it lasts is what the experiment is about

    def _stop_broker(self) -> None:
        """Take the broker away at that moment, and bring it back."""
        parts = self._their_parts()
        try:
            with self._at_the_gate():
                for part in parts:
                    self.stack.stop_part(part)
            time.sleep(self.seconds)  # how long it lasts is what the experiment is about
        finally:
            for part in parts:
                self._start(part)

    def _start(self, part: str) -> None:
        """Start a part and wait until it answers."""
        broker = self.stack.broker
        if part == broker.name:
            self.stack.start_part(part)
            quietly(lambda: broker.healthy(self.stack.state), USUAL)
        else:
            self.stack.serve(part)

    def _cut_database(self) -> None:
        """End the connection on which the triggerer writes the event."""
        with self._at_the_gate() as gate:
            gate.cut()

    def _kill_scheduler(self) -> None:
        """End it while an event waits for it."""
        before = {one: one.events() for one in self.all}
        with self.stack.hold("scheduler"):
            self._send("2")
            self._wait(lambda one: one.events() > before[one], USUAL, "chaos.no_moment")
            self.stack.kill("scheduler")

    def _duplicate(self) -> None:
        """Send the same message twice, as a producer does that did not hear the broker's answer."""
        self._send("2")
        self._quietly(lambda one: one.is_served("2"), USUAL)
        with self._arriving():
            self._send("2")

    def _poison(self) -> None:
        """Send a message that nobody can read."""
        with self._arriving():
            self._sending(lambda one: one.publish("poison", POISON))

    @contextlib.contextmanager
    def _arriving(self) -> Iterator[None]:
        """Wait until what the block sends is an event or a dead letter: what comes next is not to be mixed up in it."""
        before = {one: (one.events(), one.refused()) for one in self.all}
        yield
        self._quietly(lambda one: one.events() > before[one][0] or one.refused() > before[one][1], USUAL / 2)
