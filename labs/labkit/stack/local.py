"""The local lane: PostgreSQL, the broker and Airflow's own processes on this machine, kept by supervisord."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psutil

from labkit import __version__, paths
from labkit import scale as scaling
from labkit.airflow import connections, health, jobs, nursery, queueing, settings
from labkit.airflow.metadata import ready, slim
from labkit.brokers import jars, redis
from labkit.brokers.kafka import Kafka
from labkit.brokers.kafka_mock import KafkaMock
from labkit.errors import LabError
from labkit.stack import Part, desk, owned, ports, postgres, supervisor
from labkit.stack import state as states
from labkit.stack.lane import DAG_PROCESSOR, ON_DEMAND, SECOND_TRIGGERER, SERVED, TRIGGERER, Lane
from labkit.stack.logs import follow, read, tail
from labkit.stack.parsing import parsed
from labkit.stack.supervisor import Program
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from labkit.brokers import Broker
    from labkit.config import Lab
    from labkit.stack.state import State

AIRFLOW_PARTS = {
    # What runs a task and what runs triggers asks the execution API; people ask the other one. Two processes, as
    # Airflow offers it, so that tasks need not wait until the interface has been loaded.
    "execution-api": ("api-server", "--apps", "execution"),
    DAG_PROCESSOR: ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "triggerer-2": ("triggerer", "--skip-serve-logs"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "api-server": ("api-server", "--apps", "core"),
}
"""Airflow's processes and their commands, in the order in which an event needs them.

The second triggerer runs when it is asked for. Neither serves its logs by HTTP, so it needs no port.
"""

NURSERY = Path(nursery.__file__)
TRIGGERERS = tuple(scaling.names(TRIGGERER, 2))
GRACE = dict.fromkeys(TRIGGERERS, 15)
"""Seconds that a part has to end, where the usual will not do.

A triggerer of Airflow 3.3.2 now and then waits out 10 seconds for a child that is gone already (`kill` in
`airflow/sdk/execution_time/supervisor.py`: it sleeps in a `select` with nothing left in it), and signs off only then.
Killed before that, it would look alive for another 30 to whoever is to take over.
"""


class LocalStack(Lane):
    """A stack of local processes.

    Args:
        state: Its identity and whereabouts.
    """

    BROKERS: ClassVar[dict[str, type[Kafka | KafkaMock]]] = {"kafka": Kafka, "kafka-mock": KafkaMock}

    def __init__(self, state: State) -> None:
        self.state = state
        self.broker: Broker = self.BROKERS[state.broker]()

    # Making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, labs: Sequence[Lab], *, known: Sequence[Lab] = (), broker: str = "kafka", defaults: bool = False
    ) -> LocalStack:
        """Write down a new stack and make its folder; starts nothing.

        Args:
            labs: Whose Dags it loads.
            known: Whose Dags it can load later.
            broker: `kafka` or `kafka-mock`.
            defaults: Leave Airflow's settings as they come, to compare with.
        """
        identity = secrets.token_hex(4)
        # The folder is named before it exists: a `kill -9` in between leaves a record of nothing, not the reverse.
        run = temporary_folder() / f"lab-{os.getuid()}-{identity}"
        state = states.State(
            id=identity,
            run=str(run),
            labs=[lab.name for lab in labs],
            known=[lab.name for lab in known or labs],
            ports=ports.choose(str(paths.ROOT)),
            broker=broker,
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            versions=_versions(broker),
            defaults=defaults,
            forked=sys.platform == "linux",
        )
        states.save(state)
        run.mkdir(mode=0o700)
        for name in ("log", "tmp", "airflow"):
            (run / name).mkdir(mode=0o700)
        redis.make_password(state)
        return cls(state)

    @property
    def has_template(self) -> bool:
        """Whether the metadata database is copied and need not be made."""
        return postgres.has_template()

    def create_topics(self, labs: Sequence[Lab]) -> None:
        """Wait until the broker answers and make the labs' topics."""
        topics = [topic for lab in labs for topic in lab.topics]
        self.broker.create_topics(self.state, topics)

    def prepare_database(self) -> None:
        """Make the metadata database; from a template in no time, else with Airflow's migration (some seconds)."""
        if not postgres.has_template():
            self._make_template()
        postgres.create(self.state.folder)

    def _make_template(self) -> None:
        run = self.state.folder
        postgres.create(run)
        self.migrate(self._environment([]))
        postgres.keep_as_template(run)
        shutil.rmtree(run / "postgres")

    def migrate(self, environment: Mapping[str, str]) -> None:
        """Make Airflow's tables in a new server, which runs only meanwhile.

        Args:
            environment: That of the stack's processes.

        Raises:
            LabError: The migration failed; the end of its log is in the details.
        """
        run = self.state.folder
        program = postgres.program(run)
        with (run / "log" / "migrate.log").open("w", encoding="utf-8") as log:
            server = subprocess.Popen(
                program.command, cwd=program.folder, user=program.user, env=environment, stdout=log, stderr=log
            )
            try:
                self._wait_for(lambda: server.poll() is None and ready(self.state), "migrate", timeout=30)
                command = [self.state.python or sys.executable, "-m", "airflow", "db", "migrate"]
                migration = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
                if not migration.returncode:
                    slim(self.state)
            finally:
                server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
                server.wait(timeout=20)
        if migration.returncode:
            raise LabError("stack.migration_failed", details=tail(run / "log" / "migrate.log"))

    def _environment(self, labs: Sequence[Lab]) -> dict[str, str]:
        return settings.environment(self.state, labs) | settings.secrets_for_one_stack()

    def launch(self, labs: Sequence[Lab]) -> None:
        """Start the keeper; its programs start one by one with `start_part`, but for the nursery, which starts now.

        Args:
            labs: All that can be loaded.
        """
        state = self.state
        run = state.folder
        names = [name for lab in labs for name in lab.connections]
        others = {name: kind for lab in labs for name, kind in lab.other_connections.items()}
        connections.write(state, names, others)
        for lab in labs:
            lab.work.mkdir(parents=True, exist_ok=True)
        supervisor.write_configuration(run, self._programs())
        supervisor.launch(run, self._environment(labs))

    def _programs(self) -> list[Program]:
        state, run = self.state, self.state.folder
        home = run / "airflow"
        programs = [postgres.program(run), self.broker.program(state)]
        if state.forked:
            nest = [sys.executable, str(NURSERY), str(run / "nursery.sock")]
            # Importing Airflow takes longest of all, and needs nothing of the stack yet.
            programs.append(Program("nursery", nest, home, at_once=True))
        programs += [
            Program(name, self._airflow_command(name), home, grace=GRACE.get(name, Program.grace))
            for name in AIRFLOW_PARTS
        ]
        programs += desk.programs(state)
        return programs + [program for part in SERVED.values() if (program := part.program(state))]

    def _airflow_command(self, name: str) -> list[str]:
        """Return the command line of one of Airflow's processes."""
        state = self.state
        launcher = [sys.executable, "-m", "labkit.airflow.launch"]
        if state.forked:
            # Isolated and without site-packages: it starts in 20 ms.
            nest = str(state.folder / "nursery.sock")
            launcher = [sys.executable, "-I", "-S", str(NURSERY), nest, str(self._pid_file(name))]
        more = ["--port", str(state.ports[name])] if name in state.ports else []
        if name == DAG_PROCESSOR:
            more = [f"--bundle-name={bundle}" for lab in state.labs for bundle in settings.bundle_names(lab)]
        if name in TRIGGERERS and state.capacity:
            more = ["--capacity", str(state.capacity)]
        return [*launcher, *AIRFLOW_PARTS[name], *more]

    def _pid_file(self, name: str) -> Path:
        return self.state.folder / f"{name}.pid"

    def start_part(self, name: str) -> None:
        """Start one program; returns at once."""
        supervisor.start(self.state.folder, name)

    def serve(self, name: str) -> None:
        """Start a server that runs on demand, and wait until it answers. Harmless where it runs already.

        Raises:
            LabError: There is no such part, this machine has no such program, or it did not come up.
        """
        if name in SERVED:
            SERVED[name].check()
        super().serve(name)

    def scale(self, wanted: Mapping[str, int]) -> None:
        """Have so many of each part that is named; harmless where there are."""
        triggerers = wanted.get(TRIGGERER)
        if not triggerers:
            return
        self.start_part(TRIGGERER)  # an experiment may have ended it
        if triggerers == 1:
            self.stop_part(SECOND_TRIGGERER)  # gently: what it ran is free at once
        else:
            self.add_triggerer()

    def set_capacity(self, most: int | None) -> None:
        """Let each triggerer run so many triggers, None for Airflow's default; those that run start anew for it.

        Raises:
            LabError: They did not come up.
        """
        self.state.capacity = most or 0
        states.save(self.state)
        running = [name for name in TRIGGERERS if owned.find(self.state, self._process(name))]
        with self.metadata() as database:
            newest = max(database.triggerers_began(), default=0)
            for name in TRIGGERERS:
                supervisor.change(self.state.folder, name, self._airflow_command(name), begin=name in running)
            self._wait_for(
                lambda: sum(job > newest for job in database.triggerers()) == len(running), TRIGGERERS[0], timeout=60
            )

    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, as the metadata database knows them."""
        processes = {name: owned.find(self.state, self._process(name)) for name in TRIGGERERS}
        began = {name: dt.datetime.fromtimestamp(one.create_time(), dt.UTC) for name, one in processes.items() if one}
        with self.metadata() as database:
            return jobs.matched(began, database.triggerers_began())

    def start_airflow(self, *names: str) -> None:
        """Start some of Airflow's processes; they run when this returns, but have work to do before they are ready."""
        if self.state.forked:
            ready = self.state.folder / "nursery.sock"
            self._wait_for(ready.exists, "nursery", timeout=60)
        super().start_airflow(*names)

    def load(self, labs: Sequence[Lab]) -> None:
        """Have the Dags of more labs; returns when they have been parsed.

        Airflow's dag-processor learns at its start which bundles to parse, so it is started anew. No other part
        notices: all know all bundles.

        Raises:
            LabError: They were not parsed within a minute; the end of the dag-processor's log is in the details.
        """
        self.create_topics(labs)
        self.state.labs = sorted({*self.state.labs, *(lab.name for lab in labs)})
        with self.metadata() as database:
            since = database.now()
            supervisor.change(self.state.folder, DAG_PROCESSOR, self._airflow_command(DAG_PROCESSOR))
            self._wait_for(lambda: parsed(database, labs, since), DAG_PROCESSOR, timeout=60)
        self.yield_to_others(DAG_PROCESSOR)
        states.save(self.state)  # now, and not before: who is interrupted begins again

    def await_watchers(self, *, seconds: float) -> None:
        """Wait until the dag-processor has stored a watcher, or some seconds where there may be none."""
        with self.metadata() as database, contextlib.suppress(TimeoutError):
            until(database.watchers, seconds=seconds, pause=0.05)

    def yield_to_others(self, name: str) -> None:
        """Let one of Airflow's processes, and what it starts from now on, run when the others leave it a core."""
        pid = nursery.process(self._pid_file(name)) if self.state.forked else self._kept()[name]["pid"]
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for one in (process, *process.children(recursive=True)):
                one.nice(10)

    def start_database(self) -> None:
        """Start PostgreSQL and wait until it answers."""
        self.start_part("postgres")
        self._wait_for(lambda: ready(self.state), "postgres", timeout=30)

    # Being one ----------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the keeper answers; without it nothing is kept alive."""
        return supervisor.alive(self.state.folder)

    def part_names(self) -> list[str]:
        """Return the names of all parts, in the order of starting."""
        shared = ["nursery"] if self.state.forked else []
        return ["postgres", "kafka", *shared, *AIRFLOW_PARTS, "site", "notebook", *SERVED]

    def parts(self) -> list[Part]:
        """Return every process with its health; parts that run on demand only when they run."""
        kept = self._kept()
        reports = health.report(self.state, self.broker)
        for name, part in SERVED.items():
            if supervisor.part_state(kept.get(name, {}).get("statename", "")) in {"running", "starting"}:
                reports[name] = health.Report(part.healthy(self.state))
        found = []
        for name in self.part_names():
            row = kept.get(name, {})
            state = supervisor.part_state(row.get("statename", ""))
            if name in ON_DEMAND and state == "stopped":
                continue
            pid = row.get("pid") or None
            if pid and self.state.forked and name in AIRFLOW_PARTS:
                pid = nursery.process(self._pid_file(name))
            report = reports.get(name)
            # supervisord calls a process starting for its first second, whatever it answers.
            ok = state in {"running", "starting"} and report.ok if report else state == "running"
            found.append(Part(
                name=name,
                state=state,
                healthy=ok,
                pid=pid,
                restarts=_restarts(self.state.folder, name),
                port=int(self.state.bootstrap.rpartition(":")[2]) if name == "kafka" else self.state.ports.get(name),
                memory=owned.memory(pid, alone=name == "nursery") if pid else 0,
                note=report.note if report else "",
            ))  # fmt: skip
        return found

    def _kept(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in supervisor.processes(self.state.folder)}

    def runs(self, part: str) -> bool:
        """Tell whether a part has a process."""
        return owned.find(self.state, self._process(part)) is not None

    def tail(self, part: str) -> str:
        """Return the end of a part's log."""
        return tail(self.log_file(part))

    def log_file(self, part: str) -> Path:
        """Return the file that a part writes to."""
        return self.state.folder / "log" / f"{part}.log"

    def log(self, part: str) -> Iterator[str]:
        """Yield the lines that a part has written so far."""
        self.check_part(part)
        return read(self.log_file(part))

    def follow(self, part: str) -> Iterator[str]:
        """Yield the lines that a part writes from now on."""
        self.check_part(part)
        return follow(self.log_file(part))

    def restart(self, part: str) -> None:
        """Stop a part and start it again."""
        self.check_part(part)
        supervisor.restart(self.state.folder, part)

    def stop_part(self, part: str) -> None:
        """Stop a part, which stays so until it is started again; returns when it is gone."""
        self.check_part(part)
        supervisor.stop(self.state.folder, part)

    def family(self, part: str) -> list[psutil.Process]:
        """Return a part's own process and all that it started.

        Raises:
            LabError: The part does not run.
        """
        process = owned.find(self.state, self._process(part))
        if process is None:
            raise LabError("stack.part_failed", part=part, details=self.tail(part))
        return [process, *process.children(recursive=True)]

    @contextlib.contextmanager
    def hold(self, part: str) -> Iterator[None]:
        """Keep a part's process still, as a machine does that is busy elsewhere; it goes on when the block ends.

        It is held between two transactions: one that stood still in the middle would keep its locks, and others would
        wait for them.

        Raises:
            LabError: The part does not run, or was never between two transactions (`stack.not_held`).
        """
        process = owned.find(self.state, self._process(part))
        if process is None:
            raise LabError("stack.part_failed", part=part, details=self.tail(part))
        with self.metadata() as database:
            try:
                try:
                    queueing.stop_between(database, process.suspend, process.resume)
                except TimeoutError as error:
                    raise LabError("stack.not_held", part=part, seconds=f"{queueing.HOLDING:.0f}") from error
                yield
            finally:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextlib.contextmanager
    def freeze(self, part: str) -> Iterator[None]:
        """Keep a part's processes still, wherever they are at the moment, for as long as the block runs.

        Raises:
            LabError: The part does not run.
        """
        family = self.family(part)
        try:
            for process in family:
                process.suspend()
            yield
        finally:
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def kill(self, part: str, *, for_good: bool = False) -> None:
        """End all processes of a part as a machine does that loses its power.

        Args:
            part: Which one.
            for_good: Leave it so; else what keeps it starts it again.

        Raises:
            LabError: The part does not run.
        """
        doomed = self.family(part)
        if for_good:
            # What keeps it would start it again, or ask it to end and let it sign off: so it is held meanwhile.
            with contextlib.suppress(psutil.NoSuchProcess):
                doomed.insert(0, psutil.Process(self._kept()[part]["pid"]))
            _each(doomed, psutil.Process.suspend)
            supervisor.stop(self.state.folder, part, wait=False)
        _each(doomed, psutil.Process.kill)
        psutil.wait_procs(doomed, timeout=5)
        if for_good:
            self.stop_part(part)

    def _process(self, part: str) -> int | None:
        """Return the id of a part's own process, not of what keeps it."""
        if self.state.forked and part in AIRFLOW_PARTS:
            return nursery.process(self._pid_file(part))
        return self._kept().get(part, {}).get("pid") or None

    def count(self) -> int:
        """Return how many processes there are of it."""
        return sum(1 for _ in owned.processes(self.state))

    def failing(self) -> tuple[str, str] | None:
        """Return the first part that keeps dying, with the end of its log, or None."""
        for name, row in self._kept().items():
            if row["statename"] in {"BACKOFF", "FATAL"}:
                return name, self.tail(name)
        return None

    def everything(self) -> Iterable[psutil.Process]:
        """Return all processes of the stack, the keeper and all children included."""
        return owned.processes(self.state)

    # Ending one ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every process of the stack and remove every file of it. Safe to call again.

        All of its data goes, so nothing needs to end gently but PostgreSQL: killed, it would leave a segment of
        shared memory behind.
        """
        run = self.state.folder
        keeper = owned.find(self.state, _pid(run / "supervisord.pid"))
        if keeper:  # first, or it would bring back what ends
            owned.kill([keeper])
        databases = [process for process in owned.processes(self.state) if _is_postgres(process)]
        servers = [process for process in databases if not _is_child(process)]
        for server in servers:
            with contextlib.suppress(psutil.Error):
                server.send_signal(signal.SIGINT)  # fast shutdown
        owned.await_end(servers, timeout=5)
        owned.end_all(self.state)
        postgres.release_memory(run, [process.pid for process in databases])
        shutil.rmtree(run, ignore_errors=True)
        if run.exists():  # something was writing while it was being removed
            owned.end_all(self.state)
            shutil.rmtree(run)
        states.forget(self.state.record)


def _each(processes: Iterable[psutil.Process], what: Callable[[psutil.Process], None]) -> None:
    """Do something to each process that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            what(process)


def temporary_folder() -> Path:
    """Return the system's folder for temporary files.

    Raises:
        LabError: Its name has characters that supervisord's configuration takes for something else.
    """
    folder = Path(tempfile.gettempdir()).resolve()
    if re.search(r"""[%;#"'\\]""", str(folder)):
        raise LabError("stack.odd_folder", folder=folder)
    return folder


def _is_postgres(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == "postgres"
    return False


def _is_child(process: psutil.Process) -> bool:
    """Tell the processes that a PostgreSQL server starts from the server."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return parent is not None and parent.name() == "postgres"
    return False


def _pid(file: Path) -> int | None:
    """Return the number in the first line of a pid file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(file.read_text(encoding="utf-8").splitlines()[0])
    return None


def _versions(broker: str) -> dict[str, str]:
    """Return the versions of what runs, as `status` shows them."""
    return {
        "lab": __version__,
        "airflow": metadata.version("apache-airflow"),
        "kafka": jars.version() if broker == "kafka" else f"librdkafka {metadata.version('confluent-kafka')}",
        "postgresql": postgres.version(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def _restarts(run: Path, name: str) -> int:
    """Return how often a program ended that should not have: supervisord's log has one line for each."""
    log = run / "log" / "supervisord.log"
    if not log.exists():
        return 0
    return log.read_text(encoding="utf-8", errors="replace").count(f" exited: {name} (")
