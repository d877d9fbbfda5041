"""The compose lane: PostgreSQL, Kafka and Airflow as containers, behind the same `Stack` as the local lane.

The course's pages and JupyterLab stay processes of this machine, as on the local lane: they are the learner's desk, and
need the learner's files.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Any

import docker.errors

from labkit import __version__, config, paths
from labkit.airflow import health, jobs, queueing, settings
from labkit.airflow.metadata import Metadata
from labkit.brokers import moto
from labkit.brokers.kafka import Kafka
from labkit.errors import LabError
from labkit.i18n import listed, t
from labkit.stack import Part, desk, logs, owned, ports, supervisor
from labkit.stack import state as states
from labkit.stack.compose import engine, files, images, project
from labkit.stack.local import DAG_PROCESSOR, GRACE, SECOND_TRIGGERER, SERVED, TRIGGERERS, temporary_folder
from labkit.stack.parsing import parsed
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labkit.brokers import Broker
    from labkit.config import Lab
    from labkit.stack import PartState
    from labkit.stack.state import State

PORTS = {name: ports.PREFERRED[name] for name in ("site", "api-server", "kafka", "notebook", "aws", "redis")}
PORTS["postgres"] = 25432

SERVICES = ("postgres", "kafka", "api-server", DAG_PROCESSOR, "triggerer", SECOND_TRIGGERER, "scheduler")
"""The parts that are containers, but for the servers on demand; in the order in which an event meets them."""
ON_DEMAND = frozenset({desk.NOTEBOOK, SECOND_TRIGGERER, *SERVED})
_DESK = (desk.SITE, desk.NOTEBOOK)


class ComposeStack:
    """A stack of containers.

    Args:
        state: Its identity and whereabouts.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.broker: Broker = Kafka()
        self._project = project.name(state)

    # Making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, labs: Sequence[Lab], known: Sequence[Lab], found: engine.Engine, lab_image: str) -> ComposeStack:
        """Write down a new stack and make its folder; starts nothing.

        Args:
            labs: Whose Dags it loads.
            known: Whose Dags it can load later.
            found: The engine.
            lab_image: The labs' own Airflow.
        """
        identity = secrets.token_hex(4)
        run = temporary_folder() / f"lab-{os.getuid()}-{identity}"
        tags = {image.part: image.tag for image in images.listed()}
        chosen = ports.choose(str(paths.ROOT), PORTS)
        state = states.State(
            id=identity,
            run=str(run),
            lane="compose",
            labs=[lab.name for lab in labs],
            known=[lab.name for lab in known],
            # One server speaks to people and to tasks.
            ports={**chosen, "execution-api": chosen["api-server"]},
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            versions={
                "lab": __version__,
                "airflow": tags["airflow"],
                "kafka": tags["kafka"],
                "postgresql": tags["postgres"],
                "docker": found.version,
                "compose": found.compose,
            },
        )
        states.save(state)
        run.mkdir(mode=0o700)
        for name in ("log", "tmp", "airflow"):
            (run / name).mkdir(mode=0o700)
        for lab in known:
            lab.work.mkdir(parents=True, exist_ok=True)
        files.make_secrets(state)
        # Without root's rights, an engine gives those of its user to a container's root.
        files.write(state, known, lab_image, 0 if found.rootless else os.getuid())
        return cls(state)

    def launch_desk(self, labs: Sequence[Lab]) -> None:
        """Start the keeper of the course's pages and of JupyterLab, and the pages."""
        run = self.state.folder
        supervisor.write_configuration(run, desk.programs(self.state))
        supervisor.launch(run, settings.of_this_machine(self.state, labs))

    def up(self) -> None:
        """Start the containers, and wait until all are healthy."""
        project.up(self.state, profiles=["kafka"])

    # Being one ----------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the keeper answers and the database's container runs."""
        return supervisor.alive(self.state.folder) and self._running("postgres")

    def part_names(self) -> list[str]:
        """Return the names of all parts, in the order in which an event meets them."""
        return [*SERVICES, *_DESK, *SERVED]

    def always_on(self) -> list[str]:
        """Return the names of the parts that run as long as the stack does."""
        return [name for name in self.part_names() if name not in ON_DEMAND]

    def check_part(self, name: str) -> None:
        """Raise a usage error for a part that does not exist."""
        if name not in self.part_names():
            raise LabError("stack.unknown_part", exit_code=2, part=name, known=listed(self.part_names()))

    def _container(self, part: str) -> Any:
        """Return the container of a part.

        Raises:
            LabError: It has none.
        """
        found = engine.containers(self._project, part).get(part)
        if found is None:
            raise LabError("stack.part_failed", part=part)
        return found

    def _running(self, part: str) -> bool:
        found = engine.containers(self._project, part).get(part)
        return found is not None and found.status == "running"

    def parts(self) -> list[Part]:
        """Return every part with its health; those that run on demand only when they run."""
        found = engine.containers(self._project)
        reports = health.report(self.state, self.broker)
        for name, part in SERVED.items():
            if name in found and found[name].status == "running":
                reports[name] = health.Report(part.healthy(self.state))
        rows = []
        for name in (*SERVICES, *SERVED):
            container = found.get(name)
            if name in ON_DEMAND and (container is None or container.status != "running"):
                continue
            rows.append(self._part(name, container, reports.get(name)))
        kept = {row["name"]: row for row in supervisor.processes(self.state.folder)}
        for name in _DESK:
            row = kept.get(name, {})
            state = supervisor.part_state(row.get("statename", ""))
            if name in ON_DEMAND and state == "stopped":
                continue
            pid = row.get("pid") or None
            report = reports.get(name)
            ok = report.ok if report else state == "running"
            rows.append(
                Part(name, state, ok, pid, 0, self.state.ports[name], owned.memory(pid) if pid else 0, "")
            )  # fmt: skip
        return rows

    def _part(self, name: str, container: Any, report: health.Report | None) -> Part:
        if container is None:
            return Part(name, "stopped", healthy=False, port=self.state.ports.get(name))
        facts = container.attrs["State"]
        state = _part_state(facts)
        told = report or health.Report(facts.get("Health", {}).get("Status") in {None, "healthy"})
        notes = [told.note] if told.note else []
        if container.labels.get(images.STAND_IN):
            notes.append(t("status.stand_in"))
        return Part(
            name=name,
            state=state,
            healthy=state == "running" and told.ok,
            pid=facts["Pid"] or None,
            restarts=int(container.attrs["RestartCount"]),
            port=self.state.ports.get(name),
            memory=_memory(container) if state == "running" else 0,
            note=listed(notes),
        )

    def log(self, part: str) -> Iterator[str]:
        """Yield the lines that a part has written so far."""
        self.check_part(part)
        if part in _DESK:
            yield from logs.read(self._desk_log(part))
            return
        container = engine.containers(self._project, part).get(part)
        if container is not None:
            with engine.told():
                yield from container.logs().decode(errors="replace").splitlines()

    def follow(self, part: str) -> Iterator[str]:
        """Yield the lines that a part writes from now on, until interrupted."""
        self.check_part(part)
        if part in _DESK:
            yield from logs.follow(self._desk_log(part))
            return
        with engine.told():
            rest = ""
            for piece in self._container(part).logs(stream=True, follow=True, tail=0):
                *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
                yield from lines

    def _desk_log(self, part: str) -> Any:
        return self.state.folder / "log" / f"{part}.log"

    def start_part(self, name: str) -> None:
        """Start a part; harmless where it runs."""
        self.check_part(name)
        if name in _DESK:
            supervisor.start(self.state.folder, name)
        elif (found := engine.containers(self._project, name).get(name)) is None:
            project.up(self.state, [name], profiles=[name, "kafka"])
        else:
            with engine.told():
                found.start()

    def stop_part(self, part: str) -> None:
        """Stop a part, which stays so until it is started again."""
        self.check_part(part)
        if part in _DESK:
            supervisor.stop(self.state.folder, part)
        elif (found := engine.containers(self._project, part).get(part)) is not None:
            with engine.told():
                found.stop(timeout=GRACE.get(part, 8))

    def restart(self, part: str) -> None:
        """Stop a part and start it again."""
        self.check_part(part)
        if part in _DESK:
            supervisor.restart(self.state.folder, part)
            return
        with engine.told():
            self._container(part).restart(timeout=GRACE.get(part, 8))

    def load(self, labs: Sequence[Lab]) -> None:
        """Have the Dags of more labs; returns when they have been parsed.

        As on the local lane, the dag-processor is started anew and no other part notices. All topics are there.

        Raises:
            LabError: They were not parsed within a minute; the end of the dag-processor's log is in the details.
        """
        self.state.labs = sorted({*self.state.labs, *(lab.name for lab in labs)})
        with self.metadata() as database:
            since = database.now()
            files.load(self.state)
            project.up(self.state, [DAG_PROCESSOR], profiles=["kafka"])
            try:
                until(lambda: parsed(database, labs, since), seconds=60, pause=0.1)
            except TimeoutError as error:
                details = "\n".join([*self.log(DAG_PROCESSOR)][-25:])
                raise LabError("stack.part_failed", part=DAG_PROCESSOR, details=details) from error
        states.save(self.state)

    def serve(self, name: str) -> None:
        """Start a part that runs on demand, and wait until it answers. Harmless where it runs already.

        What stands in for AWS gets the labs' queues, too, for a restart makes it forget them.

        Raises:
            LabError: There is no such part, or it did not come up.
        """
        part = SERVED.get(name)
        if part is None:
            raise LabError("stack.unknown_part", exit_code=2, part=name, known=listed(SERVED))
        if not self._running(name) or not part.healthy(self.state):
            project.up(self.state, [name], profiles=[name])
            self._wait_for_answer(name)
        if name == moto.NAME:
            labs = [lab for lab in config.labs() if lab.name in self.state.known]
            moto.create_queues(self.state, (queue for lab in labs for queue in lab.queues))

    def _wait_for_answer(self, name: str) -> None:
        try:
            until(lambda: SERVED[name].healthy(self.state), seconds=30, pause=0.1)
        except TimeoutError as error:
            raise LabError("stack.part_failed", part=name, details="\n".join([*self.log(name)][-25:])) from error

    def add_triggerer(self) -> None:
        """Start the second triggerer, and wait until Airflow counts on it. Harmless where it runs already."""
        if self._running(SECOND_TRIGGERER):
            return
        project.up(self.state, [SECOND_TRIGGERER], profiles=[SECOND_TRIGGERER, "kafka"])
        until(lambda: SECOND_TRIGGERER in self.triggerers(), seconds=60, pause=0.1)

    def scale(self, wanted: Mapping[str, int]) -> None:
        """Have so many of each part that is named; harmless where there are."""
        triggerers = wanted.get("triggerer")
        if triggerers == 1:
            self.stop_part(SECOND_TRIGGERER)  # gently: what it ran is free at once
        elif triggerers:
            self.add_triggerer()

    def set_capacity(self, most: int | None) -> None:
        """Let each triggerer run so many triggers, None for Airflow's default; those that run start anew for it."""
        self.state.capacity = most or 0
        states.save(self.state)
        files.set_capacity(self.state)
        running = [name for name in TRIGGERERS if self._running(name)]
        with self.metadata() as database:
            newest = max(database.triggerers_began(), default=0)
            project.up(self.state, running, profiles=[SECOND_TRIGGERER, "kafka"])
            until(lambda: sum(job > newest for job in database.triggerers()) == len(running), seconds=60, pause=0.1)

    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, as the metadata database knows them."""
        found = engine.containers(self._project)
        began = {
            name: dt.datetime.fromisoformat(found[name].attrs["State"]["StartedAt"])
            for name in TRIGGERERS
            if name in found and found[name].status == "running"
        }
        with self.metadata() as database:
            return jobs.matched(began, database.triggerers_began())

    # Faults -------------------------------------------------------------------------------------------------------

    def kill(self, part: str, *, for_good: bool = False) -> None:
        """End all processes of a part as a machine does that loses its power.

        Args:
            part: Which one.
            for_good: Leave it so; else it is started again, as what keeps a process would.
        """
        with engine.told():
            container = self._container(part)
            container.kill()
            container.wait()
            if not for_good:
                container.start()

    @contextlib.contextmanager
    def freeze(self, part: str) -> Iterator[None]:
        """Keep a part still, wherever it is at the moment, for as long as the block runs."""
        with engine.told():
            container = self._container(part)
            container.pause()
        try:
            yield
        finally:
            _go_on(container)

    @contextlib.contextmanager
    def hold(self, part: str) -> Iterator[None]:
        """Keep a part still between two transactions, as a machine does that is busy elsewhere."""
        with engine.told():
            container = self._container(part)
        with self.metadata() as database:
            try:
                try:
                    queueing.stop_between(database, container.pause, container.unpause)
                except TimeoutError as error:
                    raise LabError("stack.not_held", part=part, seconds=f"{queueing.HOLDING:.0f}") from error
                yield
            finally:
                _go_on(container)

    def failing(self) -> tuple[str, str] | None:
        """Return the first part that keeps dying, with the end of its log, or None."""
        broken = engine.broken(self._project)
        if broken is None:
            return None
        with engine.told():
            words: bytes = broken.logs(tail=25)
        return engine.service(broken), words.decode(errors="replace")

    def metadata(self) -> Metadata:
        """Return the reader of the metadata database."""
        return Metadata(self.state)

    def notebook_token(self) -> str:
        """Return what opens JupyterLab."""
        return desk.notebook_token(self.state, logs.tail(self._desk_log(desk.NOTEBOOK)))

    # Ending one ---------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """Return how many processes and containers there are of it."""
        return sum(1 for _ in owned.processes(self.state)) + len(engine.containers(self._project))

    def stop(self) -> None:
        """Remove every container, network and volume, end every process, remove every file. Safe to call again."""
        owned.end_all(self.state)
        project.down(self.state)
        shutil.rmtree(self.state.folder, ignore_errors=True)
        states.forget(self.state.record)


def _part_state(facts: dict[str, Any]) -> PartState:
    """Translate the engine's words."""
    if facts["Status"] in {"running", "paused"}:
        return "running"
    if facts["Status"] in {"created", "restarting"}:
        return "starting"
    return "failed" if facts["ExitCode"] and facts["ExitCode"] not in {137, 143} else "stopped"


def _memory(container: Any) -> int:
    """Return what a container holds, less what the kernel could take back at once, as `docker stats` counts."""
    with contextlib.suppress(docker.errors.DockerException):
        told = container.stats(stream=False, one_shot=True)["memory_stats"]
        kept = told.get("stats", {})
        return int(told.get("usage", 0)) - int(kept.get("inactive_file", kept.get("total_inactive_file", 0)))
    return 0


def _go_on(container: Any) -> None:
    """Let a container go on; one that does not stand still is left alone."""
    with contextlib.suppress(docker.errors.APIError):
        container.unpause()
