"""What the notebooks use: `lab = Notebook("03")` is the running stack, seen from that lab.

The same calls work on every lane. Outputs are free of prose, so that one run serves the pages of both languages.
"""

from __future__ import annotations

import contextlib
import functools
import html
import importlib
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from labkit import arrivals, config, session, trace
from labkit import chaos as faults
from labkit import collapse as collapsing
from labkit import race as racing
from labkit import scale as scaling
from labkit.airflow import complaints, connections, settings
from labkit.airflow.api import Api
from labkit.airflow.gate import Gate
from labkit.airflow.statements import Statements
from labkit.airflow.usage import Changes
from labkit.brokers import client, moto, redis, shop
from labkit.brokers.client import Sender
from labkit.errors import LabError
from labkit.i18n import listed
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import ModuleType

    import pandas as pd

    from labkit.airflow.metadata import Metadata
    from labkit.brokers import Message
    from labkit.collapse import Report
    from labkit.config import Lab
    from labkit.drawing import Drawing
    from labkit.race import Race
    from labkit.stack import Stack
    from labkit.stack.state import State
    from labkit.trace import Journey


class Followed:
    """A message's way through Airflow, shown as a table; `draw()` makes a picture of it."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey

    @property
    def run(self) -> str:
        """The id of the run that the message caused."""
        return self.journey.run

    @property
    def table(self) -> pd.DataFrame:
        """One row a stage: its name, the table and id of the row that proves it, the time, milliseconds so far."""
        import pandas as pd  # noqa: PLC0415

        start = self.journey.message.produced_at
        rows = [
            {
                "stage": stage.name,
                "table": stage.table,
                "id": stage.id,
                "time (UTC)": stage.at.strftime("%H:%M:%S.%f")[:-3],
                "+ms": round((stage.at - start).total_seconds() * 1000),
            }
            for stage in self.journey.stages
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return str(self.table.to_string(index=False))

    def _repr_html_(self) -> str:
        return _as_html(self.table)

    def draw(self) -> Drawing:
        """Return a timeline: one bar from each stage to the next, labelled with what it took."""
        from labkit.drawing import timeline  # noqa: PLC0415

        return timeline(self.journey)


class Cost:
    """What the metadata database had to do while a block ran: `with lab.cost() as cost: …`.

    Attributes:
        rows: Table → rows written there, by whomever; an update is a row written anew.
        statements: Part → SQL statements it sent. Empty on the lane with Docker, whose database has another log.
    """

    def __init__(self, state: State) -> None:
        self.rows: dict[str, int] = {}
        self.statements: dict[str, int] = {}
        self._state = state

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:  # what was begun is ended where the other one cannot be
            self._changes = opening.enter_context(Changes(self._state))
            local = self._state.lane == "local"
            self._statements = opening.enter_context(Statements(self._state)) if local else None
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            self.rows = dict(self._changes.count())
            counted = self._statements.count() if self._statements else {}
            self.statements = {part: one.statements for part, one in counted.items()}


class Running(dict[str, int]):
    """Parts that run, each with its job; who asks for one that does not is told so, and what to do."""

    def __missing__(self, part: str) -> int:
        raise LabError("notebook.not_running", part=part, running=listed(f"`{name}`" for name in self) or "-")


class Notebook:
    """The running stack as a notebook sees it.

    Args:
        which: The lab, by its number; its work folder is used. The stack is looked for when first needed.
    """

    def __init__(self, which: str) -> None:
        import pandas as pd  # noqa: PLC0415

        self._which = which
        # pandas cuts cells after 50 characters: of most payloads the half that matters.
        pd.set_option("display.max_colwidth", None)

    @functools.cached_property
    def _stack(self) -> Stack:
        return session.having(self._lab, silent=True)

    @functools.cached_property
    def _lab(self) -> Lab:
        return config.lab(self._which)

    @functools.cached_property
    def _metadata(self) -> Metadata:
        return self._stack.metadata()

    def _api(self) -> Api:
        return Api(self._stack.state)

    def publish(self, topic: str, value: dict[str, Any]) -> Message:
        """Send one JSON object to a topic and return what the broker acknowledged."""
        session.having(config.find_topic(topic), silent=True)
        return self._stack.broker.publish(self._stack.state, topic, [trace.as_text(value)])[0]

    def send(self, topic: str, *values: str | bytes) -> list[Message]:
        """Send messages to a topic as they are, JSON or not, and return what the broker acknowledged."""
        config.find_topic(topic)
        return client.publish(self._stack.state.bootstrap, topic, values)

    def letters(self, topic: str, since: int = 0) -> pd.DataFrame:
        """Return what lies on a topic, and leave it there: offset (`letter`), value, a column for each header.

        Args:
            topic: The topic.
            since: The first offset that counts.
        """
        config.find_topic(topic)
        found = client.letters(self._stack.state.bootstrap, topic, since)
        headers = list(dict.fromkeys(name for one in found for name in one.headers))
        rows = [{"letter": one.offset, "value": one.value, **one.headers} for one in found]
        return _frame(["letter", "value", *headers], rows)

    def end(self, topic: str) -> int:
        """Return the offset that a topic's next message will have."""
        config.find_topic(topic)
        return client.end(self._stack.state.bootstrap, topic)

    def committed(self, topic: str, group: str) -> int:
        """Return the offset at which a consumer group will go on: for Kafka, all before it is done."""
        config.find_topic(topic)
        return client.committed(self._stack.state.bootstrap, group, topic)

    def publish_sqs(self, queue: str, *values: dict[str, Any]) -> list[str]:
        """Put JSON objects into a queue of SQS and return the ids of the messages; starts the part `aws`."""
        config.find_place("sqs", queue)
        self._stack.serve(moto.NAME)
        return moto.publish(self._stack.state, queue, [trace.as_text(value) for value in values])

    def publish_redis(self, channel: str, *values: dict[str, Any]) -> list[int]:
        """Say JSON objects on a channel of Redis and return how many listened to each; starts the part `redis`."""
        config.find_place("redis", channel)
        self._stack.serve(redis.NAME)
        return redis.publish(self._stack.state, channel, [trace.as_text(value) for value in values])

    def redis_listeners(self, channel: str) -> int:
        """Return how many are listening to a channel of Redis now."""
        return redis.listeners(self._stack.state, channel)

    def connection(self, name: str) -> dict[str, Any]:
        """Return one of the labs' connections as Airflow reads it, its password masked."""
        return connections.shown(self._stack.state.folder, name)

    def stream(
        self, topic: str, values: Sequence[dict[str, Any]], *, rate: float, seed: int | None = None
    ) -> list[Message]:
        """Send JSON objects to a topic one after the other, and return what the broker acknowledged, in order.

        Args:
            topic: The topic.
            values: What to send.
            rate: How many a second, on average.
            seed: Arrivals come at random times that this number repeats; None for arrivals like a clock's.
        """
        session.having(config.find_topic(topic), silent=True)
        sender = Sender(self._stack.state.bootstrap)
        for position in arrivals.paced(arrivals.poisson(len(values), rate, seed)):
            sender.send(topic, trace.as_text(values[position]))
        return sender.finish()

    def race(self, *racers: str, events: int, rate: float, seed: int | None = None, together: bool = False) -> Race:
        """Let racers handle the same stream of messages and return what each took, as a table with charts.

        Args:
            *racers: Their names; all by default.
            events: How many messages.
            rate: How many a second, on average.
            seed: Arrivals come at random times that this number repeats; None for arrivals like a clock's.
            together: All get them side by side, and not one after the other.

        Raises:
            LabError: The stack has not what is needed, or a racer did not get ready.
        """
        stream = racing.Stream("race", events, rate, seed, together)
        return racing.run(self._stack, config.find_racers(racers), stream)

    def collapse(self) -> Report:
        """Send events to Dags that do next to nothing and count the runs that they make; some 30 seconds.

        Raises:
            LabError: The stack has not the Dags, or they do not come to rest.
        """
        owner, collapse = config.find_collapse()
        return collapsing.run(session.having(owner, silent=True), [case for case in collapse.cases if not case.newer])

    def recorded(self, airflow: str) -> Report:
        """Return what `collapse` once counted on another release; a test of the project repeats it."""
        return collapsing.load(config.find_collapse()[1].recorded / f"{airflow}.json")

    def gate(self) -> Gate:
        """Keep events out of the database while the block runs: yielded by a trigger, stored by nobody."""
        return Gate(self._stack.state)

    def kill(self, part: str, *, for_good: bool = False) -> None:
        """End a part's processes without warning, as a power cut does.

        Args:
            part: Which one.
            for_good: Leave it so; else what watches over them starts it again.
        """
        self._stack.kill(part, for_good=for_good)

    def chaos(self, scheme: str, fault: str, *, seconds: float | None = None) -> faults.Outcome:
        """Let something go wrong while messages come in, as `./lab chaos` does, and return what became of them.

        Args:
            scheme: Where they come from.
            fault: What goes wrong.
            seconds: How long it lasts, where it lasts at all.

        Raises:
            LabError: There is no such source, or the fault is not for it, or the messages did not come.
        """
        owner, target = config.find_target(scheme)
        return faults.run(session.having(owner, silent=True), target, fault, seconds)

    def hold(self, part: str) -> AbstractContextManager[None]:
        """Keep a part of the stack still while the block runs, as a machine does that is busy elsewhere."""
        return self._stack.hold(part)

    def chart(self, groups: Mapping[str, Mapping[str, float]], *, unit: str = "") -> Drawing:
        """Return a chart with a bar for each series in each group: name → series → amount."""
        from labkit.drawing import pairs  # noqa: PLC0415

        return pairs(groups, unit=unit)

    def scale(self, **wanted: int) -> None:
        """Have so many of a part, as `./lab start --scale` does: `lab.scale(triggerer=2)`.

        Raises:
            LabError: There is no such part on this lane, or not so many of it.
        """
        text = ",".join(f"{part}={number}" for part, number in wanted.items())
        self._stack.scale(scaling.parse(text, self._stack.state.lane))

    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, the number that the table `trigger` knows it by."""
        return Running(self._stack.triggerers())

    def capacity(self, most: int | None) -> None:
        """Let each triggerer run so many triggers, None for Airflow's default; they start anew for it."""
        self._stack.set_capacity(most)

    def stop(self, part: str) -> None:
        """Ask a part to end, as a deployment does, and wait until it has; it stays so until `start`."""
        self._stack.stop_part(part)

    def start(self, part: str) -> None:
        """Start a part that was stopped, or killed for good."""
        self._stack.start_part(part)

    def cost(self) -> Cost:
        """Count what is written to the metadata database, and asked of it, while the block runs."""
        return Cost(self._stack.state)

    def waiting(self) -> pd.DataFrame:
        """Return the triggers that no living triggerer runs, oldest first: trigger, whose it is, since how many s."""
        rows = [
            {
                "trigger": one.trigger,
                "of": ", ".join(one.names),
                "watcher": one.watcher,
                "age s": round(one.age.total_seconds()),
            }
            for one in self._metadata.waiting()
        ]
        return _frame(["trigger", "of", "watcher", "age s"], rows)

    def lanes(
        self,
        spans: Mapping[str, Sequence[tuple[float, float, str]]],
        *,
        marks: Sequence[float] = (),
        kinds: Sequence[str] = (),
    ) -> Drawing:
        """Return a lane for each name with bars in it.

        Args:
            spans: Lane → bars, each with begin and end in seconds and its kind, which has a colour of its own.
            marks: Moments to mark in all lanes.
            kinds: In which order the kinds take their colours.
        """
        from labkit.drawing import Span, gantt  # noqa: PLC0415

        return gantt([Span(lane, *bar) for lane, bars in spans.items() for bar in bars], marks=marks, kinds=kinds)

    def serve(self, part: str) -> str:
        """Start a part that runs on demand, such as `aws`, and return its address; it ends with the stack."""
        self._stack.serve(part)
        return f"http://127.0.0.1:{self._stack.state.ports[part]}"

    def shop(self, statements: str, **values: object) -> pd.DataFrame:
        """Run SQL in the tea shop's own database and return the rows of the last statement.

        `:name` stands for a value. The database is made when it is first asked.
        """
        return _frame(*shop.run(self._stack.state, *_placeholders(statements, values)))

    @property
    def folder(self) -> Path:
        """The lab's own folder: what the pages show is there."""
        return self._lab.folder

    @property
    def work(self) -> Path:
        """The lab's work folder: Dag files and modules that are put here are Airflow's to import."""
        return self._lab.work

    def load(self, module: str) -> ModuleType:
        """Return a module of the lab's or of its work folder, imported anew: what was edited counts.

        Raises:
            ImportError: There is none of that name.
        """
        for folder in map(str, settings.modules([self._lab])):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        importlib.invalidate_caches()
        sys.modules.pop(module, None)
        return importlib.import_module(module)

    def log(self, part: str) -> list[str]:
        """Return the lines that a part of the stack has written so far."""
        return list(self._stack.log(part))

    def complaints(self) -> pd.DataFrame:
        """Return the watchers whose trigger failed in the last minute: asset, watcher, error, how often."""
        import pandas as pd  # noqa: PLC0415

        rows = complaints.recent(self._stack.trigger_log(), self._metadata.watchers())
        return pd.DataFrame(
            [(one.asset, one.watcher, one.error, one.count) for one in rows],
            columns=["asset", "watcher", "error", "count"],
        )

    def restart(self, part: str) -> None:
        """Stop a part of the stack and start it again."""
        self._stack.restart(part)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the answer of Airflow's REST API to one request; `path` begins below `/api/v2/`."""
        with self._api() as api:
            return api.call(method, path, **arguments)

    def follow(self, message: Message, timeout: float = 60) -> Followed:
        """Wait until the run that the message caused has ended, and return its way there.

        Raises:
            LabError: It did not end within `timeout` seconds; the message says how far the event came.
        """
        log = self._stack.trigger_log
        return Followed(trace.follow(self._metadata, message, timeout=timeout, log=log))

    def sql(self, query: str, **values: object) -> pd.DataFrame:
        """Return the answer of the metadata database; `:name` in the query stands for a value."""
        return _frame(*self._metadata.table(*_placeholders(query, values)))

    def pause(self, dag: str) -> None:
        """Pause a Dag."""
        with self._api() as api:
            api.set_paused(dag, paused=True)

    def unpause(self, dag: str) -> None:
        """Let a Dag go on."""
        with self._api() as api:
            api.set_paused(dag, paused=False)

    def reparse(self, dag: str) -> None:
        """Have the dag-processor parse the Dag's file now; returns when it has."""
        before = self._parsed(dag)
        with self._api() as api:
            api.reparse(dag)
        self.wait_for(lambda: self._parsed(dag) != before, f"the dag-processor to parse {dag}")

    def _parsed(self, dag: str) -> Any:
        return self._metadata.dags().get(dag, {}).get("last_parsed_time")

    def write_dag(self, name: str, source: str) -> None:
        """Write a Dag file into the lab's work folder; returns when Airflow has parsed it.

        Raises:
            LabError: It cannot be imported; the message has Airflow's reason.
        """
        file = self._file(name)
        before = self._file_parsed(name)
        known = {failure.at for failure in self._metadata.import_failures() if failure.file == name}
        file.write_text(source, encoding="utf-8")

        def parsed() -> bool:
            for failure in self._metadata.import_failures():
                if failure.file == name and failure.at not in known:  # not what the text before this one got
                    raise LabError("notebook.import_error", file=name, reason=failure.reason)
            return self._file_parsed(name) not in {None, before}

        self.wait_for(parsed, f"the dag-processor to parse {name}", timeout=60)

    def _file_parsed(self, name: str) -> Any:
        rows = [row["last_parsed_time"] for row in self._metadata.dags().values() if row["relative_fileloc"] == name]
        return max(rows, default=None)

    def remove_dag(self, name: str) -> None:
        """Remove a Dag file from the work folder and its Dags from Airflow, with all their runs."""
        dags = [dag for dag, row in self._metadata.dags().items() if row["relative_fileloc"] == name]
        self._file(name).unlink(missing_ok=True)
        with self._api() as api:
            for dag in dags:
                api.delete_dag(dag)

    def _file(self, name: str) -> Path:
        return self.work / name

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        """Wait until a condition holds and return its value.

        Args:
            condition: Called again and again; an empty table counts as false.
            what: What is waited for, for the error.
            timeout: Seconds.

        Raises:
            LabError: It did not come to hold in time.
        """

        def answer() -> Any:
            value = condition()
            # A table of pandas has no truth; an empty one is a no. The tuple is true and holds whatever was found.
            holds = len(value) > 0 if hasattr(value, "__len__") else bool(value)
            return (value,) if holds else None

        try:
            return until(answer, seconds=timeout)[0]
        except TimeoutError as error:
            raise LabError("notebook.timeout", what=what, seconds=f"{timeout:.0f}") from error

    def within(self, seconds: float, condition: Callable[[], Any]) -> bool:
        """Wait until a condition holds, or some seconds; tells which."""
        try:
            return bool(until(condition, seconds=seconds))
        except TimeoutError:
            return False

    def at_rest(self, measure: Callable[[], Any], *, seconds: float, timeout: float = 60) -> Any:
        """Wait until a value has not changed for some seconds, and return it.

        Args:
            measure: Called again and again; returns the value.
            seconds: For how long it has to stay as it is.
            timeout: Seconds until it is given up.

        Raises:
            LabError: It did not come to rest in time.
        """
        last, since = measure(), time.monotonic()

        def rests() -> bool:
            nonlocal last, since
            value = measure()
            if value != last:
                last, since = value, time.monotonic()
            return time.monotonic() - since >= seconds

        self.wait_for(rests, "an end of the changes", timeout)
        return last

    def events(self, limit: int = 5) -> pd.DataFrame:
        """Return the newest asset events and the runs that they caused."""
        import pandas as pd  # noqa: PLC0415

        rows = [
            {
                "event": row.event,
                "asset": row.asset,
                "payload": row.payload,
                "dag": row.dag,
                "state": row.run_state,
                "ms to run": round((row.run_created - row.at).total_seconds() * 1000) if row.run_created else None,
            }
            for row in self._metadata.events(limit)
        ]
        return pd.DataFrame(rows)


def _placeholders(query: str, values: dict[str, object]) -> tuple[str, dict[str, object] | None]:
    """Return a question with its placeholders as psycopg2 has them: `:name` becomes `%(name)s`, `::` stays a cast."""
    if not values:
        return query, None
    return re.sub(r"(?<!:):([A-Za-z_]\w*)", r"%(\1)s", query.replace("%", "%%")), values


def _frame(columns: list[str], rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a table; one without rows has its columns all the same. Notebooks show it without the index."""
    import pandas as pd  # noqa: PLC0415

    class Table(pd.DataFrame):
        @property
        def _constructor(self) -> type[pd.DataFrame]:
            return pd.DataFrame

        def _repr_html_(self) -> str:
            return _as_html(self)

    return Table(rows, columns=columns)


def _as_html(table: pd.DataFrame) -> str:
    """Return a plain table without the index column."""
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
