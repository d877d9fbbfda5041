"""Labs as data: reads and checks `labs/NN-*/lab.toml`. The engine knows no lab by name."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping, Sequence  # noqa: TC003  dataclass fields are read at run time
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003  dataclass fields are read at run time
from typing import Any

from labkit import paths
from labkit.errors import LabError, usage_error
from labkit.i18n import LANGUAGES, Language, language, listed

CONNECTION_KINDS = ("aws", "http", "postgres", "redis")
"""What a lab's connections may lead to, besides Kafka."""

TARGET_BROKERS = ("kafka", "sqs", "redis", "file", "notes")
"""Where the messages of `chaos` may come from."""


@dataclass(frozen=True)
class Step:
    """One thing a learner does and `verify` checks.

    Attributes:
        id: Its name on the command line and in `verify.py`.
        title: What holds when it is done, by language.
        hints: From a nudge to the answer, by language.
        exercise: Whether the learner writes code for it; such steps fail until then.
        acts: Whether its check does something to the stack, such as sending messages, and does not only look.
    """

    id: str
    title: Mapping[str, str]
    hints: Mapping[str, list[str]]
    exercise: bool = False
    acts: bool = False


@dataclass(frozen=True)
class FirstEvent:
    """What `start` sends through a lab: a value for a topic, and the Dag that it is to run."""

    topic: str
    dag: str
    value: dict[str, Any]


@dataclass(frozen=True)
class Racer:
    """A Dag that `race` can let run: it takes messages from a topic of its own.

    Attributes:
        name: Its name on the command line.
        title: What it is, by language.
        dag: The Dag.
        topic: Where its messages are sent.
        group: The consumer group it reads with.
        sensor: The task that waits for messages; empty where a watcher does.
    """

    name: str
    title: Mapping[str, str]
    dag: str
    topic: str
    group: str
    sensor: str = ""


@dataclass(frozen=True)
class Case:
    """Events that `collapse` sends to a Dag, to count the runs that they make.

    Attributes:
        name: Its name in tables.
        title: What it is, by language.
        dag: The Dag.
        events: The assets that get an event, in order; an asset belongs to one case only.
        gap: Seconds between two events; 0 where all come between two looks of the scheduler.
        paused: Whether the Dag is paused meanwhile.
        newer: Whether the Dag needs a later release of Airflow than the labs'.
    """

    name: str
    title: Mapping[str, str]
    dag: str
    events: tuple[str, ...]
    gap: float = 0
    paused: bool = False
    newer: bool = False


@dataclass(frozen=True)
class Collapse:
    """What `collapse` runs.

    Attributes:
        cases: What is sent to which Dag.
        dags: The folder with the Dags.
        newer: The folder with those that need a later release.
        recorded: The folder with reports of runs on other releases, for readers who have not made them.
    """

    cases: tuple[Case, ...]
    dags: Path
    newer: Path
    recorded: Path


@dataclass(frozen=True)
class Target:
    """A source of events that `chaos` lets something go wrong with, and the Dag that serves what comes.

    Attributes:
        name: Its name on the command line.
        title: What it is, by language.
        dag: The Dag.
        asset: What its watcher watches for.
        topic: Where its messages are sent: a topic, a queue, a channel or a folder below the work folder.
        table: Where the Dag writes what it served, in the shop's database: `order_id` and `served_at`. Empty where its
            runs return what they served.
        broker: What the topic lives in; `TARGET_BROKERS` has what there is.
        group: The consumer group that reads it, where the broker is Kafka.
        dead: The dead-letter topic; empty where there is none.
        behind: Whether its trigger takes a message while the triggerer waits with an event of another's, and the source
            shows that it was taken.
        by_the_clock: Whether the trigger tells it some seconds after the event, stored or not.
    """

    name: str
    title: Mapping[str, str]
    dag: str
    asset: str
    topic: str
    table: str = ""
    broker: str = "kafka"
    group: str = ""
    dead: str = ""
    behind: bool = False
    by_the_clock: bool = False


@dataclass(frozen=True)
class Lab:
    """One lab: a folder, its Dags, what it needs from the stack, its steps.

    Attributes:
        connections: Ids of Kafka connections, each a consumer group of its own.
        other_connections: Id → kind of the others; `CONNECTION_KINDS` has the kinds.
        on_demand: Dags that stay paused until a step asks for them.
        queues: Queues of SQS.
        channels: Channels of Redis; nobody makes them, they are there for `publish` to know.
        racers: Dags that `race` can let run against each other.
        collapse: What `collapse` runs.
        chaos: What `chaos` lets go wrong.
        page: The name of its first page and notebook.
    """

    folder: Path
    number: int
    title: Mapping[str, str]
    minutes: int
    topics: tuple[str, ...]
    connections: tuple[str, ...]
    steps: tuple[Step, ...]
    first_event: FirstEvent | None = field(default=None)
    other_connections: Mapping[str, str] = field(default_factory=dict)
    on_demand: tuple[str, ...] = ()
    racers: tuple[Racer, ...] = ()
    collapse: Collapse | None = None
    chaos: tuple[Target, ...] = ()
    page: str = ""
    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name, such as `03-asset-watchers`: also the name of the work folder."""
        return self.folder.name

    @property
    def id(self) -> str:
        """The two digits that people type."""
        return f"{self.number:02}"

    @property
    def work(self) -> Path:
        """Where the learner edits this lab's exercise."""
        return paths.WORK / self.name

    def step(self, step_id: str) -> Step:
        """Return the step of that name.

        Raises:
            LabError: There is none; the message lists those there are.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise usage_error("lab.unknown_step", step=step_id, lab=self.id, known=listed(s.id for s in self.steps))


@functools.cache
def labs(folder: Path | None = None) -> tuple[Lab, ...]:
    """Return all labs, by number.

    Args:
        folder: Where to look; the project's `labs/` by default.

    Raises:
        LabError: A `lab.toml` is broken; the message names file, place and reason.
    """
    found = sorted((folder or paths.LABS).glob("[0-9][0-9]-*/lab.toml"))
    return tuple(_read(path) for path in found)


def lab(which: str) -> Lab:
    """Return the lab that a person means by `03`, `3` or `03-asset-watchers`.

    Raises:
        LabError: There is no such lab; the message lists those there are.
    """
    wanted = which.zfill(2) if which.isdigit() else which
    for candidate in labs():
        if wanted in {candidate.id, candidate.name}:
            return candidate
    raise usage_error("lab.unknown", lab=which, known=listed(one.id for one in labs()))


def main(chosen: Sequence[Lab]) -> Lab:
    """Return the lab that a start is about: the first one with an event to send, else the first."""
    return next((one for one in chosen if one.first_event), chosen[0])


def find_topic(topic: str) -> Lab:
    """Return the lab that a topic belongs to.

    Raises:
        LabError: No lab has it; the message lists those there are.
    """
    for candidate in labs():
        if topic in candidate.topics:
            return candidate
    known = sorted({name for one in labs() for name in one.topics})
    raise usage_error("lab.unknown_topic", topic=topic, known=listed(known))


def find_place(broker: str, name: str) -> Lab:
    """Return the lab that a place to publish to belongs to.

    Args:
        broker: `kafka`, `sqs` or `redis`.
        name: Of a topic, a queue or a channel.

    Raises:
        LabError: No lab has it; the message lists those there are.
    """
    if broker == "kafka":
        return find_topic(name)
    kind, refusal = {"sqs": ("queues", "publish.unknown_sqs"), "redis": ("channels", "publish.unknown_redis")}[broker]
    owners = {place: one for one in labs() for place in getattr(one, kind)}
    if name not in owners:
        raise usage_error(refusal, name=name, known=listed(sorted(owners)))
    return owners[name]


def find_racers(names: Iterable[str]) -> list[Racer]:
    """Return the racers of these names, in this order and each once; all there are where none is named.

    Raises:
        LabError: There is none of a name; the message lists those there are.
    """
    known = {racer.name: racer for one in labs() for racer in one.racers}
    wanted = list(dict.fromkeys(names)) or list(known)
    for name in wanted:
        if name not in known:
            raise usage_error("race.unknown", racer=name, known=listed(known))
    return [known[name] for name in wanted]


def targets() -> list[tuple[Lab, Target]]:
    """Return all that `chaos` knows, each with the lab that has it."""
    return [(one, target) for one in labs() for target in one.chaos]


def find_target(name: str) -> tuple[Lab, Target]:
    """Return what `chaos` knows by this name, and the lab that has it.

    Raises:
        LabError: There is none of that name; the message lists those there are.
    """
    known = {target.name: (one, target) for one, target in targets()}
    if name not in known:
        raise usage_error("chaos.unknown", scheme=name, known=listed(known))
    return known[name]


def find_collapse() -> tuple[Lab, Collapse]:
    """Return what `collapse` runs, and the lab that has it."""
    return next((one, one.collapse) for one in labs() if one.collapse)


class _Reader:
    """Takes values out of one `lab.toml` and says precisely which of them is missing or of the wrong kind."""

    def __init__(self, path: Path) -> None:
        self.shown = path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path
        try:
            self.table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LabError("lab.broken_toml", file=self.shown, reason=error) from error

    def wrong(self, key: str, kind: str) -> LabError:
        return LabError("lab.missing_key", file=self.shown, key=key, kind=kind)

    def need(self, where: Any, key: str, kind: type, at: str = "") -> Any:
        value = where.get(key) if isinstance(where, dict) else None
        if not isinstance(value, kind):
            raise self.wrong(f"{at}{key}", kind.__name__)
        return value

    def both(self, where: Any, key: str, kind: type, at: str = "") -> Any:
        """Return a pair of texts, or of lists of texts, that has both languages."""
        found = self.need(where, key, dict, at)
        for code in LANGUAGES:
            self.need(found, code, kind, f"{at}{key}.")
        return found

    def texts(self, where: dict[str, Any], key: str, at: str) -> tuple[str, ...]:
        found = where.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.wrong(f"{at}{key}", "list[str]")
        return tuple(found)

    def optional(self, key: str) -> Any:
        return self.need(self.table, key, dict) if key in self.table else {}

    def kinds(self, key: str, allowed: Iterable[str]) -> dict[str, str]:
        """Return a table of names, each with one of a few words."""
        found = self.optional(key)
        for name, kind in found.items():
            if kind not in allowed:
                raise self.wrong(f"{key}.{name}", " | ".join(allowed))
        return dict(found)

    def step(self, row: Any, position: int) -> Step:
        at = f"steps[{position}]"
        if not isinstance(row, dict):
            raise self.wrong(at, "dict")
        hints = self.both(row, "hints", list, f"{at}.")
        for code in LANGUAGES:
            if not self.texts(hints, code, f"{at}.hints."):
                raise self.wrong(f"{at}.hints.{code}", "list[str]")
        title = self.both(row, "title", str, f"{at}.")
        flags = (self.need({key: False, **row}, key, bool, f"{at}.") for key in ("exercise", "acts"))
        return Step(self.need(row, "id", str, f"{at}."), title, hints, *flags)

    def racer(self, row: Any, position: int) -> Racer:
        at = f"racers[{position}]"
        if not isinstance(row, dict):
            raise self.wrong(at, "dict")
        title = self.both(row, "title", str, f"{at}.")
        name, dag, topic, group = (self.need(row, key, str, f"{at}.") for key in ("name", "dag", "topic", "group"))
        return Racer(name, title, dag, topic, group, self.need({"sensor": "", **row}, "sensor", str, f"{at}."))

    def racers(self) -> tuple[Racer, ...]:
        rows = self.need({"racers": [], **self.table}, "racers", list)
        return tuple(self.racer(row, position) for position, row in enumerate(rows, start=1))

    def case(self, row: Any, position: int) -> Case:
        at = f"collapse.cases[{position}]"
        if not isinstance(row, dict):
            raise self.wrong(at, "dict")
        name, dag = (self.need(row, key, str, f"{at}.") for key in ("name", "dag"))
        events = self.texts(row, "events", f"{at}.")
        if not events:
            raise self.wrong(f"{at}.events", "list[str]")
        gap = self.need({"gap": 0.0, **row}, "gap", float, f"{at}.")
        flags = (self.need({key: False, **row}, key, bool, f"{at}.") for key in ("paused", "newer"))
        return Case(name, self.both(row, "title", str, f"{at}."), dag, events, gap, *flags)

    def collapse(self, folder: Path) -> Collapse | None:
        table = self.optional("collapse")
        if not table:
            return None
        at = "collapse."
        rows = self.need(table, "cases", list, at)
        places = [folder / self.need(table, key, str, at) for key in ("dags", "newer", "recorded")]
        return Collapse(tuple(self.case(row, position) for position, row in enumerate(rows, start=1)), *places)

    def target(self, row: Any, position: int) -> Target:
        at = f"chaos[{position}]"
        if not isinstance(row, dict):
            raise self.wrong(at, "dict")
        names = ("name", "dag", "asset", "topic")
        places = {key: self.need(row, key, str, f"{at}.") for key in names}
        for key, usual in {"table": "", "broker": "kafka", "group": "", "dead": ""}.items():
            places[key] = self.need({key: usual, **row}, key, str, f"{at}.")
        if places["broker"] not in TARGET_BROKERS:
            raise self.wrong(f"{at}.broker", " | ".join(TARGET_BROKERS))
        if places["broker"] == "kafka" and not places["group"]:
            raise self.wrong(f"{at}.group", "str")
        if places["table"] and not places["table"].isidentifier():
            raise self.wrong(f"{at}.table", "identifier")
        flags = {key: self.need({key: False, **row}, key, bool, f"{at}.") for key in ("behind", "by_the_clock")}
        return Target(title=self.both(row, "title", str, f"{at}."), **places, **flags)

    def targets(self) -> tuple[Target, ...]:
        rows = self.need({"chaos": [], **self.table}, "chaos", list)
        return tuple(self.target(row, position) for position, row in enumerate(rows, start=1))

    def first_event(self) -> FirstEvent | None:
        first = self.optional("first_event")
        if not first:
            return None
        at = "first_event."
        topic, dag = self.need(first, "topic", str, at), self.need(first, "dag", str, at)
        return FirstEvent(topic, dag, self.need(first, "value", dict, at))


def _read(path: Path) -> Lab:
    """Read one `lab.toml`."""
    reader = _Reader(path)
    table, kafka = reader.table, reader.optional("kafka")
    sqs, redis = reader.optional("sqs"), reader.optional("redis")
    rows = reader.need(table, "steps", list)
    return Lab(
        folder=path.parent,
        number=reader.need(table, "number", int),
        title=reader.both(table, "title", str),
        minutes=reader.need(table, "minutes", int),
        topics=reader.texts(kafka, "topics", "kafka."),
        connections=reader.texts(kafka, "connections", "kafka."),
        steps=tuple(reader.step(row, position) for position, row in enumerate(rows, start=1)),
        first_event=reader.first_event(),
        other_connections=reader.kinds("connections", CONNECTION_KINDS),
        on_demand=reader.texts(table, "on_demand", ""),
        racers=reader.racers(),
        collapse=reader.collapse(path.parent),
        chaos=reader.targets(),
        page=reader.need({"page": path.parent.name, **table}, "page", str),
        queues=reader.texts(sqs, "queues", "sqs."),
        channels=reader.texts(redis, "channels", "redis."),
    )


def in_language(texts: Mapping[str, Any], choice: Language | None = None) -> Any:
    """Return the text, or list of texts, of the current language."""
    return texts[choice or language()]
