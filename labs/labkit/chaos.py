"""The chaos dial: does harm to the stack while messages are on their way, and counts what became of them.

Three messages go to each scheme. The first shows that all is well, the second meets the fault, the third comes when it
is over. All schemes meet the same fault side by side, for most of it is waiting.

The worst moment, between taking a message and storing its event, is not hit by luck. A triggerer is two processes: the
child takes messages, the parent writes to the database. The parent is held still (SIGSTOP) before the second message is
sent. The child goes on, acknowledges to the broker as it always does, and its event waits for the parent. That the
message was taken is read from outside: a committed offset, an empty queue, a file that is gone. Then the fault strikes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.airflow import queueing
from labkit.airflow.api import Api
from labkit.brokers import client, moto, redis, shop
from labkit.errors import LabError
from labkit.stack import owned
from labkit.stack.local import SECOND
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import psutil

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab, Scheme
    from labkit.stack.local import LocalStack

FAULTS = ("kill", "freeze", "broker", "database", "scheduler", "two", "duplicate", "poison")
"""The dial's positions."""
MEANINGLESS = frozenset(
    {
        ("sqs", "broker"),  # the stand-in for AWS forgets everything when it stops; AWS does not
        ("file", "broker"),  # a file has no broker
        ("file", "poison"),  # nobody reads the file
    }
)
"""Kinds of schemes and the faults that say nothing about them."""

FREEZE = 45.0
"""Seconds that a triggerer is frozen for: longer than Airflow waits before it gives its triggers away (30)."""
READY = 90.0
"""Seconds until everything runs and the first message is handled."""
TAKEN = 25.0
"""Seconds until a message that is sent while the parent is held is taken."""
SILENT = 2.0
"""Seconds for those to take it that give no sign of it; they look 20 times a second."""
ATTEMPTS = 3
"""How often to turn for a fault whose moment was missed: a trigger that is being started again takes nothing."""
RECOVERED = 150.0
"""Seconds after a fault until whatever comes after that is told as lost."""
AGAIN = {"redis": 3.0}
"""Seconds between two messages that call stranded events in: a channel forgets those that nobody heard."""
AGAIN_OTHERS = 15.0
_BETWEEN = 0.2

TABLES = """
    CREATE TABLE IF NOT EXISTS served_by_dial (
        dag text NOT NULL, order_id text NOT NULL, served_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE IF NOT EXISTS served_plainly (
        order_id text NOT NULL, served_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE IF NOT EXISTS served_lists (
        order_id text NOT NULL, served_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE IF NOT EXISTS served_once (
        order_id text PRIMARY KEY,
        event_at timestamptz NOT NULL,
        served_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
"""The tables that Dags serve into, as their tasks make them at the first order, but here before it."""
SHARED_TABLE = "served_by_dial"
"""The one that several Dags share, and that has a column `dag` for it."""


@dataclass(frozen=True)
class Cell:
    """What became of a scheme's messages under a fault.

    Attributes:
        scheme: The scheme's name.
        fault: The fault's name.
        published: How many different messages were sent.
        events: Asset events that they became.
        runs: Dag runs that these started, those included that fetched stranded events.
        failed: How many of the runs failed.
        processed: How often one was served.
        lost: Messages that were not served.
        doubled: How often one was served once more.
        late: Seconds from sending the second message (of poison, the third) until it was served; None where it was not.
        dead: Reasons that dead letters carry.
    """

    scheme: str
    fault: str
    published: int
    events: int
    runs: int
    failed: int
    processed: int
    lost: int
    doubled: int
    late: float | None
    dead: tuple[str, ...] = ()

    @property
    def words(self) -> list[tuple[str, int]]:
        """What went wrong, each as a word and how often; `ok` where nothing did, and where a poison went."""
        wrong = [(name, count) for name, count in (("lost", self.lost), ("doubled", self.doubled)) if count]
        if wrong or self.fault != "poison":
            return wrong or [("ok", 0)]
        runs = "loops" if self.failed > 1 else "failed run"
        return [("dead letter" if self.dead else runs if self.failed else "vanished", 1)]

    @property
    def word(self) -> str:
        """The same as a text, such as `1 lost`."""
        return ", ".join(f"{count} {name}" if name in {"lost", "doubled"} else name for name, count in self.words)


def applies(scheme: Scheme, fault: str) -> bool:
    """Tell whether a fault says anything about a scheme."""
    return (scheme.kind, fault) not in MEANINGLESS


def run(
    stack: LocalStack, lab: Lab, schemes: Sequence[Scheme], fault: str, tell: Callable[[str], None] | None = None
) -> list[Cell]:
    """Let schemes meet a fault, and count. The stack is as it was afterwards, and the Dags are paused.

    Args:
        stack: A running stack with the lab's Dags and a real Kafka.
        lab: The lab that has the schemes.
        schemes: Who; those to whom the fault means nothing are left out.
        fault: One of `FAULTS`.
        tell: Called with the name of each phase.

    Raises:
        LabError: The stack has not what is needed, or was not ready in time.
    """
    if stack.broker.name != "kafka":
        raise LabError("chaos.mock")
    chosen = [one for one in schemes if applies(one, fault)]
    stack.start_part("api-server")  # harmless where it runs
    with stack.metadata() as metadata, Api(stack.state, READY) as api:
        missing = [one.dag for one in chosen if one.dag not in metadata.dags()]
        if missing:
            raise LabError("chaos.no_dag", dags=", ".join(missing))
        for missed in range(ATTEMPTS):
            try:
                return _Turn(stack, lab, chosen, fault, tell or (lambda _: None), metadata, api).run()
            except LabError as error:
                if error.key != "chaos.missed" or missed == ATTEMPTS - 1:
                    raise
        raise AssertionError  # the last attempt returns or raises


def save(file: Path, cells: Sequence[Cell]) -> None:
    """Write cells as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [dataclasses.asdict(cell) for cell in cells]
    file.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path) -> list[Cell]:
    """Read cells that were written; none where there is no file."""
    if not file.exists():
        return []
    return [Cell(**{**row, "dead": tuple(row["dead"])}) for row in json.loads(file.read_text(encoding="utf-8"))]


@dataclass
class _Turn:
    """One turn of the dial."""

    stack: LocalStack
    lab: Lab
    schemes: list[Scheme]
    fault: str
    tell: Callable[[str], None]
    metadata: Metadata
    api: Api
    _sent: dict[tuple[str, str], float] = field(default_factory=dict)
    _dead: dict[str, int] = field(default_factory=dict)
    _offsets: dict[str, int] = field(default_factory=dict)

    def run(self) -> list[Cell]:
        shop.run(self.stack.state, TABLES)
        self._mark = queueing.mark(self.metadata)
        self._key = f"{self.fault}-{self._mark.event}-{self._mark.run}"
        self._since = self._shop("SELECT clock_timestamp() AS now")[0]["now"]
        mine = {part for part in ("aws", "redis") if not self.stack.tree(part)}
        try:
            self.tell("ready")
            self._line_up()
            self._send_all(1)
            self._require(lambda: all(self._lines(one, 1) for one in self.schemes), READY)
            self.tell("fault")
            getattr(self, f"_{self.fault}")()
            self.tell("recover")
            self._recover()
            return [self._cell(one) for one in self.schemes]
        finally:
            self.tell("tidy")
            self._tidy(mine)

    # Before -------------------------------------------------------------------------------------------------------

    def _line_up(self) -> None:
        """Bring everything to where a message is taken at once."""
        kinds = {one.kind for one in self.schemes}
        for kind, part in (("sqs", moto.NAME), ("redis", redis.NAME)):
            if kind in kinds:
                self.stack.serve(part)
        self._folder.mkdir(parents=True, exist_ok=True)
        for scheme in self.schemes:
            self._empty(scheme)
            self.api.set_paused(scheme.dag, paused=False)
        self._reparse()
        self._require(lambda: {one.dag for one in self.schemes} <= self._watched(), READY)
        self._await_listeners(READY)

    @property
    def _folder(self) -> Path:
        return self.lab.work / "dial"

    def _empty(self, scheme: Scheme) -> None:
        """Take away what an earlier turn may have left at a source."""
        state = self.stack.state
        if scheme.kind == "kafka":
            client.skip_to_end(state.bootstrap, scheme.group, scheme.source)
            if scheme.dead:
                self._dead[scheme.name] = len(client.letters(state.bootstrap, scheme.dead))
        elif scheme.kind == "sqs":
            moto.client(state, "sqs").purge_queue(QueueUrl=moto.queue_url(scheme.source))
        elif scheme.kind == "file":
            (self._folder / scheme.source).unlink(missing_ok=True)

    def _reparse(self) -> None:
        """Have the Dags' files parsed now: a watcher comes and goes with a parse."""
        files = {self.metadata.dags()[one.dag]["relative_fileloc"]: one.dag for one in self.schemes}
        for dag in files.values():
            self.api.reparse(dag)

    def _watched(self) -> set[str]:
        """Return the Dags whose watchers some triggerer runs."""
        query = """
            SELECT DISTINCT r.dag_id FROM dag_schedule_asset_reference r
            JOIN asset_watcher w ON w.asset_id = r.asset_id JOIN trigger t ON t.id = w.trigger_id
            WHERE t.triggerer_id IS NOT NULL
        """
        return {row["dag_id"] for row in self.metadata.rows(query)}

    def _await_listeners(self, seconds: float) -> None:
        """Wait until someone listens to each channel, and each consumer group has a member with a partition."""
        state = self.stack.state
        channels = [one.source for one in self.schemes if one.kind == "redis"]
        groups = [one.group for one in self.schemes if one.kind == "kafka"]

        def listening() -> bool:
            if groups and not all(client.members(state.bootstrap, groups).values()):
                return False
            return all(redis.listeners(state, one) for one in channels)

        _quietly(listening, seconds)

    # Messages -----------------------------------------------------------------------------------------------------

    def _order(self, number: int | str) -> str:
        return f"{self._key}-{number}"

    def _send_all(self, number: int | str, text: str | None = None) -> None:
        """Send an order, or another text in its place, to every scheme."""
        for scheme in self.schemes:
            self._send(scheme, number, text)

    def _send(self, scheme: Scheme, number: int | str, text: str | None = None) -> None:
        state = self.stack.state
        value = text or json.dumps({"order_id": self._order(number)})
        self._sent.setdefault((scheme.name, str(number)), time.time())
        if scheme.kind == "kafka":
            (message,) = client.publish(state.bootstrap, scheme.source, [value])
            self._offsets[scheme.name] = message.offset
        elif scheme.kind == "sqs":
            moto.publish(state, scheme.source, [value])
        elif scheme.kind == "redis":
            redis.publish(state, scheme.source, [value])
        else:
            _quietly(lambda: not self._file(scheme).exists(), READY)  # two at once would be one
            draft = self._file(scheme).with_suffix(".new")
            draft.write_text(value, encoding="utf-8")
            draft.replace(self._file(scheme))

    def _file(self, scheme: Scheme) -> Path:
        return self._folder / scheme.source

    def _shop(self, query: str, **values: object) -> list[dict[str, Any]]:
        return shop.run(self.stack.state, query, values or None)[1]

    def _lines(self, scheme: Scheme, number: int) -> list[float]:
        """Return when an order was served. A file does not say which it was: they are taken in turn."""
        if scheme.kind == "file":
            return self._served(scheme, "%", key="")[number - 1 :]
        return self._served(scheme, str(number))

    def _served(self, scheme: Scheme, number: str, key: str | None = None) -> list[float]:
        """Return when the orders of this turn were served whose numbers are like a pattern of SQL."""
        mine = "dag = %(dag)s AND" if scheme.table == SHARED_TABLE else ""
        query = (
            f"SELECT extract(epoch FROM served_at) AS at FROM {scheme.table} "  # noqa: S608  names from lab.toml
            f"WHERE {mine} served_at > %(since)s AND order_id LIKE %(order)s ORDER BY served_at"
        )
        order = number if key == "" else self._order(number)
        return [float(row["at"]) for row in self._shop(query, dag=scheme.dag, since=self._since, order=order)]

    def _taken(self, scheme: Scheme) -> bool:
        """Tell whether the message that was just sent has been taken, as seen from outside of Airflow."""
        state = self.stack.state
        if scheme.kind == "kafka":
            committed = client.committed(state.bootstrap, scheme.group, scheme.source)
            return committed > self._offsets[scheme.name]
        if scheme.kind == "sqs":
            return self._in_queue(scheme)[0] == 0
        if scheme.kind == "redis":  # who has heard one message stops listening
            return redis.listeners(state, scheme.source) == 0
        return not self._file(scheme).exists()

    def _in_queue(self, scheme: Scheme) -> tuple[int, int]:
        """Return how many messages of a queue wait, and how many somebody has taken and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        queue = moto.queue_url(scheme.source)
        told = moto.client(self.stack.state, "sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return int(told["Attributes"][names[0]]), int(told["Attributes"][names[1]])

    # The faults ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _in_between(self) -> Iterator[list[psutil.Process]]:
        """Hold the parent while the second message is taken; yields the triggerer's processes, the parent first."""
        self._await_listeners(READY)
        processes = self.stack.tree("triggerer")
        with self.stack.hold("triggerer"):
            self._send_all(2)
            telling = [one for one in self.schemes if not one.silent]
            if not _quietly(lambda: all(self._taken(one) for one in telling), TAKEN):
                raise LabError("chaos.missed", schemes=", ".join(one.name for one in telling if not self._taken(one)))
            if len(telling) < len(self.schemes):
                time.sleep(SILENT)
            yield processes

    def _kill(self) -> None:
        """Kill the triggerer between taking a message and storing its event."""
        with self._in_between() as processes:
            owned.each(processes, "kill")

    def _freeze(self) -> None:
        """Freeze it at that moment until another one has its triggers, and let it go on."""
        self._start_second()
        with self._in_between() as processes:
            owned.each(processes, "suspend")
            try:
                time.sleep(FREEZE)  # the fault itself
            finally:
                owned.each(processes[1:], "resume")  # the parent goes on when the block ends

    def _database(self) -> None:
        """End all connections to the databases at that moment."""
        with self._in_between():
            self.metadata.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def _broker(self) -> None:
        """Stop the brokers with a message in them, and start them again."""
        self._await_listeners(READY)
        processes = self.stack.tree("triggerer")
        owned.each(processes, "suspend")
        kinds = {one.kind for one in self.schemes}
        try:
            self._send_all(2)
            for kind in kinds & {"kafka", "redis"}:
                self.stack.retire(kind)
            if "kafka" in kinds:
                self.stack.start_part("kafka")
                self._require(lambda: self.stack.broker.healthy(self.stack.state), READY)
            if "redis" in kinds:
                self.stack.serve(redis.NAME)
        finally:
            owned.each(processes, "resume")

    def _scheduler(self) -> None:
        """Kill the scheduler, and send a message at once."""
        owned.each(self.stack.tree("scheduler"), "kill")
        self._send_all(2)

    def _two(self) -> None:
        """Kill one of two triggerers between two messages; the next comes before the other one takes over."""
        self._start_second()
        owned.each(self.stack.tree("triggerer"), "kill")
        self._send_all(2)

    def _duplicate(self) -> None:
        """Send a message twice, the second time when the first has been served."""
        for _ in range(2):
            self._await_listeners(READY)
            self._send_all(2)
            _quietly(lambda: all(self._lines(one, 2) for one in self.schemes), READY)

    def _poison(self) -> None:
        """Send what is no order, and wait until it has done what it does: it shall not share a run with the next."""
        self._await_listeners(READY)
        self._send_all(2, f"{self._order(2)}: two oolong, please")
        _quietly(lambda: all(self._runs(one)["failed"] or self._letters(one) for one in self.schemes), 30)

    def _start_second(self) -> None:
        query = "SELECT max(id) AS id FROM job WHERE job_type = 'TriggererJob' AND state = 'running'"
        before = self.metadata.rows(query)[0]["id"]
        self.stack.start_airflow(SECOND)
        self._require(lambda: self.metadata.rows(query)[0]["id"] != before, READY)

    # After --------------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Send the third message, call in what is stranded, and wait until nothing more will come."""
        deadline = time.monotonic() + RECOVERED
        _quietly(lambda: {one.dag for one in self.schemes} <= self._watched_by_the_living(), RECOVERED)
        self._await_listeners(RECOVERED)
        self._send_all(3)
        calls: dict[str, float] = {}

        def called() -> bool:
            """Call again where a call has not come through: Airflow 3.3 strands the later of two quick events."""
            waiting = [one for one in self.schemes if one.kind != "file" and not self._served(one, "call%")]
            for scheme in waiting:
                if time.monotonic() - calls.get(scheme.name, 0) > AGAIN.get(scheme.kind, AGAIN_OTHERS):
                    calls[scheme.name] = time.monotonic()
                    self._send(scheme, f"call{time.monotonic_ns()}")
            return not waiting

        def quiet() -> bool:
            """Tell whether nothing waits anywhere."""
            waiting = [sum(self._in_queue(one)) for one in self.schemes if one.kind == "sqs"]
            files = [self._file(one).exists() for one in self.schemes if one.kind == "file"]
            return not (
                any(waiting) or any(files) or queueing.pending(self.metadata, [one.dag for one in self.schemes])
            )

        # The first call a moment after the third message, or it would be the one to strand.
        _quietly(lambda: all(self._lines(one, 3) for one in self.schemes if one.kind != "file"), 15)
        _quietly(called, max(1, deadline - time.monotonic()), pause=1)
        _quietly(quiet, 45, pause=0.5)

    def _watched_by_the_living(self) -> set[str]:
        """Return the Dags whose watchers are run by a triggerer that gave a sign of life lately."""
        query = """
            SELECT DISTINCT r.dag_id FROM dag_schedule_asset_reference r
            JOIN asset_watcher w ON w.asset_id = r.asset_id JOIN trigger t ON t.id = w.trigger_id
            JOIN job j ON j.id = t.triggerer_id AND j.state = 'running' AND j.latest_heartbeat > now() - interval '12 s'
        """
        return {row["dag_id"] for row in self.metadata.rows(query)}

    def _cell(self, scheme: Scheme) -> Cell:
        numbers = [1, 3] if self.fault == "poison" else [1, 2, 3]
        events = """
            SELECT count(DISTINCT e.id) AS n FROM asset_event e
            JOIN dag_schedule_asset_reference r ON r.asset_id = e.asset_id
            WHERE r.dag_id = %(dag)s AND e.id > %(id)s AND e.extra::text ~ %(key)s
        """
        pattern = "" if scheme.kind == "file" else f"{self._key}-[123]"
        count = self.metadata.rows(events, {"dag": scheme.dag, "id": self._mark.event, "key": pattern})[0]["n"]
        runs = self._runs(scheme)
        if scheme.kind == "file":
            lines = len(self._lines(scheme, 1))
            lost, doubled, processed = max(0, 3 - lines), max(0, lines - 3), lines
            late = None if lost else self._late(scheme, 2)
        else:
            found = [len(self._lines(scheme, number)) for number in numbers]
            lost, doubled, processed = found.count(0), sum(max(0, one - 1) for one in found), sum(found)
            late = self._late(scheme, 2 if self.fault != "poison" else 3)
        return Cell(
            scheme.name,
            self.fault,
            published=3,
            events=count,
            runs=runs["n"],
            failed=runs["failed"],
            processed=processed,
            lost=lost,
            doubled=doubled,
            late=late,
            dead=self._letters(scheme),
        )

    def _runs(self, scheme: Scheme) -> dict[str, int]:
        """Return how many runs there were since the beginning of the turn, and how many of them failed."""
        query = (
            "SELECT count(*) AS n, count(*) FILTER (WHERE state = 'failed') AS failed FROM dag_run "
            "WHERE dag_id = %(dag)s AND id > %(id)s"
        )
        return self.metadata.rows(query, {"dag": scheme.dag, "id": self._mark.run})[0]

    def _letters(self, scheme: Scheme) -> tuple[str, ...]:
        """Return the reasons of this turn's dead letters."""
        if not scheme.dead:
            return ()
        letters = client.letters(self.stack.state.bootstrap, scheme.dead, self._dead[scheme.name])
        return tuple(one.headers["reason"] for one in letters if self._key.encode() in (one.value or b""))

    def _late(self, scheme: Scheme, number: int) -> float | None:
        lines = self._lines(scheme, number)
        return round(lines[0] - self._sent[scheme.name, str(number)], 1) if lines else None

    def _tidy(self, mine: set[str]) -> None:
        """Pause the Dags, see their watchers go, stop what was started for this."""
        for scheme in self.schemes:
            self.api.set_paused(scheme.dag, paused=True)
        self._reparse()
        _quietly(lambda: not {one.dag for one in self.schemes} & self._watched(), READY)
        self.stack.retire(SECOND)
        for part in mine:
            self.stack.retire(part)
        for file in self._folder.glob("*"):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _require(self, condition: Callable[[], object], seconds: float) -> None:
        if not _quietly(condition, seconds):
            raise LabError("chaos.not_ready", seconds=f"{seconds:.0f}")


def _quietly(condition: Callable[[], object], seconds: float, pause: float = _BETWEEN) -> bool:
    """Wait until a condition holds, or some seconds; tells which."""
    try:
        return bool(until(condition, seconds=seconds, pause=pause))
    except TimeoutError:
        return False
