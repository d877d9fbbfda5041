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

from labkit import __version__, paths
from labkit import scale as scaling
from labkit.airflow import health, queueing, settings
from labkit.brokers.kafka import Kafka
from labkit.errors import LabError
from labkit.i18n import listed, t
from labkit.stack import Part, desk, logs, owned, ports, supervisor
from labkit.stack import state as states
from labkit.stack.compose import engine, files, images, project
from labkit.stack.lane import DAG_PROCESSOR, ON_DEMAND, SERVED, TRIGGERER, Lane
from labkit.stack.local import temporary_folder
from labkit.stack.parsing import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labkit.airflow.metadata import Job
    from labkit.brokers import Broker
    from labkit.config import Lab
    from labkit.stack import PartState
    from labkit.stack.state import State

PORTS = {name: ports.PREFERRED[name] for name in ("site", "api-server", "kafka", "notebook", "aws", "redis")}
PORTS["postgres"] = 25432

SERVICES = ("postgres", "kafka", "api-server", DAG_PROCESSOR, TRIGGERER, "scheduler")
"""What runs in containers, but for the servers on demand; in the order in which an event meets them."""
WITH_WORKERS = ("celery-broker", scaling.WORKER)
"""What there is besides, where tasks run on workers."""
_DESK = (desk.SITE, desk.NOTEBOOK)


class ComposeStack(Lane):
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
    def create(
        cls,
        labs: Sequence[Lab],
        known: Sequence[Lab],
        found: engine.Engine,
        lab_image: str,
        wanted: Mapping[str, int] | None = None,
    ) -> ComposeStack:
        """Write down a new stack and make its folder; starts nothing.

        Args:
            labs: Whose Dags it loads.
            known: Whose Dags it can load later.
            found: The engine.
            lab_image: The labs' own Airflow.
            wanted: How many of a part, where that is not one.
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
            scale=scaling.complete(wanted or {}),
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
        return supervisor.alive(self.state.folder) and self.runs("postgres")

    def part_names(self) -> list[str]:
        """Return the names of all parts, in the order in which an event meets them."""
        return [*self._containers(), *_DESK, *SERVED]

    def _containers(self) -> list[str]:
        """Return the names of those that are containers, but for the servers on demand."""
        asked = self.state.scale
        found = []
        for service in (*SERVICES, *(WITH_WORKERS if scaling.WORKER in asked else ())):
            # A second triggerer can be had without asking for it at the start.
            count = max(asked.get(service, 1), 2 if service == TRIGGERER else 1)
            found += scaling.names(service, count)
        return found

    def on_demand(self) -> frozenset[str]:
        """Return the parts that run only when asked for; who scaled the triggerers has asked."""
        return ON_DEMAND - {*scaling.names(TRIGGERER, self.state.scale.get(TRIGGERER, 1))}

    def _container(self, part: str) -> Any:
        """Return the container of a part.

        Raises:
            LabError: It has none.
        """
        found = engine.containers(self._project, part).get(part)
        if found is None:
            raise LabError("stack.part_failed", part=part)
        return found

    def runs(self, part: str) -> bool:
        """Tell whether the container of a part runs."""
        found = engine.containers(self._project, part).get(part)
        return found is not None and found.status == "running"

    def parts(self) -> list[Part]:
        """Return every part with its health; those that run on demand only when they run."""
        found = engine.containers(self._project)
        reports = health.report(self.state, self.broker)
        for name, part in SERVED.items():
            if name in found and found[name].status == "running":
                reports[name] = health.Report(part.healthy(self.state))
        jobs = self._jobs()
        on_demand = self.on_demand()
        rows = []
        for name in (*self._containers(), *SERVED):
            container = found.get(name)
            if name in on_demand and (container is None or container.status != "running"):
                continue
            job = health.JOBS.get(scaling.split(name)[0])
            if job and container is not None and jobs is not None:
                known = _own(jobs, job, container)
                reports[name] = health.heartbeat(known.age if known else None)
            rows.append(self._part(name, container, reports.get(name)))
        kept = {row["name"]: row for row in supervisor.processes(self.state.folder)}
        for name in _DESK:
            row = kept.get(name, {})
            state = supervisor.part_state(row.get("statename", ""))
            if name in on_demand and state == "stopped":
                continue
            pid = row.get("pid") or None
            report = reports.get(name)
            ok = report.ok if report else state == "running"
            rows.append(
                Part(name, state, ok, pid, 0, self.state.ports[name], owned.memory(pid) if pid else 0, "")
            )  # fmt: skip
        return rows

    def _jobs(self) -> dict[tuple[str, str], Job] | None:
        """Return what the database knows of Airflow's jobs, by type and container; None where it does not answer."""
        try:
            with self.metadata() as database:
                return database.jobs()
        except LabError:
            return None

    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, as the metadata database knows them."""
        with self.metadata() as database:
            jobs = database.jobs()
        found = {}
        for name, container in engine.containers(self._project).items():
            job = _own(jobs, health.JOBS[TRIGGERER], container)
            if container.status == "running" and job:
                found[name] = job.id
        return found

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

    def tail(self, part: str) -> str:
        """Return the end of a part's log."""
        if part in _DESK:
            return logs.tail(self._desk_log(part))
        container = engine.containers(self._project, part).get(part)
        return engine.tail(container) if container is not None else ""

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
            service, number = scaling.split(name)
            # Those that there are stay; a number that is not there yet is the next one's.
            count = {service: max(number, self.state.scale.get(service, 1))} if number > 1 else {}
            project.up(self.state, [service], profiles=[service, "kafka"], alone=True, scale=count)
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
                found.stop()  # for as long as the compose file lets it

    def restart(self, part: str) -> None:
        """Stop a part and start it again."""
        self.check_part(part)
        if part in _DESK:
            supervisor.restart(self.state.folder, part)
            return
        with engine.told():
            container = self._container(part)
            container.stop()
            container.start()

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
            # Compose sees that its command is another one. It asks for no health: what counts is what it has parsed.
            project.up(self.state, [DAG_PROCESSOR], profiles=["kafka"], alone=True, wait=False)
            self._wait_for(lambda: parsed(database, labs, since), DAG_PROCESSOR, timeout=60)
        states.save(self.state)

    def scale(self, wanted: Mapping[str, int]) -> None:
        """Have so many of each part that is named, and of those that come with workers; harmless where there are.

        The first worker changes what all of Airflow is told, so Airflow's containers are made anew. Else only what is
        named comes or goes, and what goes is told to end first.

        Raises:
            LabError: The engine has too little memory for so many, or one did not come up.
        """
        before = self.state.scale
        after = scaling.complete({**before, **wanted})
        # One that was killed is missing, though the number that was asked for is the same.
        changed = [
            part
            for part, count in after.items()
            if count != before.get(part) or (part in wanted and not self._are(part, count))
        ]
        if not changed:
            return
        engine.check(after)
        self.state.scale = after
        files.scale(self.state)
        states.save(self.state)
        if scaling.WORKER in after and scaling.WORKER not in before:
            self.up()
        else:
            project.up(self.state, changed, alone=True)

    def _are(self, part: str, count: int) -> bool:
        """Tell whether exactly so many of a part run."""
        found = engine.containers(self._project).items()
        running = {name for name, one in found if scaling.split(name)[0] == part and one.status == "running"}
        return running == {*scaling.names(part, count)}

    def set_capacity(self, most: int | None) -> None:
        """Let each triggerer run so many triggers, None for Airflow's default; those that run start anew for it.

        Raises:
            LabError: They did not come up.
        """
        self.state.capacity = most or 0
        states.save(self.state)
        files.set_capacity(self.state)
        before = self.triggerers()
        # As many as there are: the second one may be there without having been asked for at the start.
        project.up(self.state, [TRIGGERER], alone=True, wait=False, scale={TRIGGERER: max(1, len(before))})

        def anew() -> bool:
            return {part for part, job in self.triggerers().items() if job != before.get(part)} == before.keys()

        self._wait_for(anew, TRIGGERER, timeout=60)

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
        """Keep a part still between two transactions, as a machine does that is busy elsewhere.

        Where there are several of it, all are held: another one would do the work.
        """
        with contextlib.ExitStack() as held:
            for name in scaling.names(part, self.state.scale.get(part, 1)):
                held.enter_context(self._hold(name))
            yield

    @contextlib.contextmanager
    def _hold(self, part: str) -> Iterator[None]:
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
        return None if broken is None else (engine.part(broken), engine.tail(broken))

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


def _own(jobs: Mapping[tuple[str, str], Job], kind: str, container: Any) -> Job | None:
    """Return the job of a container, None where it has none yet; one of before its start is a dead process's."""
    job = jobs.get((kind, container.attrs["Config"]["Hostname"]))
    began = dt.datetime.fromisoformat(container.attrs["State"]["StartedAt"])
    return job if job and job.began >= began else None


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
