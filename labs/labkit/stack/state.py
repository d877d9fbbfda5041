"""The one state file, `.lab/state.json`: which stack this checkout has, where it lives, on which ports.

It holds no secret, and it is written before the first process starts, so that `stop` can always clean up.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from labkit import paths
from labkit.errors import LabError

MAIN = "state"
"""What the record of this checkout's stack is called."""
SIDE = "side-state"
"""What the record of a stack is called that a command starts beside it, and stops again."""


@dataclass
class State:
    """A stack's identity and whereabouts.

    Attributes:
        id: Random; every process of the stack carries it in its environment or works in a folder named by it,
            which is how `stop` tells ours from strangers that got a recycled pid.
        run: The stack's private folder: data, logs, sockets. Gone after `stop`.
        lane: `local` or `compose`.
        labs: Names of the labs whose Dags are loaded.
        known: Names of the labs that it can load.
        ports: By part.
        scale: How many there are to be of a part, where somebody said so; only the lane with containers needs it.
        broker: `kafka`, or `kafka-mock` where the real one could not be had.
        ready: Whether `start` came to its end.
        started: When, as an ISO time in UTC.
        versions: Of what runs, for `status`.
        defaults: Whether Airflow's own defaults were asked for instead of ours (the benchmark does).
        forked: Whether Airflow's processes are forked from one that has imported everything.
        python: The interpreter of Airflow's processes; empty where it is the one of this project's environment.
        capacity: How many triggers a triggerer may run; 0 for Airflow's own default.
        record: The name of the file that it is recorded in, without `.json`: a stack that runs beside has its own.
    """

    id: str
    run: str
    lane: str = "local"
    labs: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    scale: dict[str, int] = field(default_factory=dict)
    broker: str = "kafka"
    ready: bool = False
    started: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    defaults: bool = False
    forked: bool = False
    python: str = ""
    capacity: int = 0
    record: str = MAIN

    @property
    def folder(self) -> Path:
        """The stack's private folder."""
        return Path(self.run)

    def where(self, part: str) -> tuple[str, int]:
        """Return host and port at which a part answers."""
        return "127.0.0.1", self.ports[part]

    @property
    def ui_url(self) -> str:
        """Where Airflow's interface answers."""
        return f"http://127.0.0.1:{self.ports['api-server']}"

    @property
    def site_url(self) -> str:
        """Where the course's pages are served."""
        return f"http://127.0.0.1:{self.ports['site']}"

    @property
    def address_file(self) -> Path:
        """Where a broker that picks its own port writes its address."""
        return self.folder / "kafka.address"

    @property
    def bootstrap(self) -> str:
        """The Kafka address that clients use."""
        if self.address_file.exists():
            return self.address_file.read_text(encoding="utf-8")
        return ":".join(map(str, self.where("kafka")))

    @property
    def database(self) -> dict[str, str]:
        """How to reach the metadata database: a socket in a folder that only its owner may enter, or a port.

        Our own sessions have a name, so that what they ask is not taken for Airflow's doing.
        """
        place = {"user": "airflow", "dbname": "airflow", "application_name": "lab"}
        if self.lane == "local":
            return {**place, "host": str(self.folder / "postgres")}
        host, port = self.where("postgres")
        password = self.postgres_password_file.read_text(encoding="ascii")
        return {**place, "host": host, "port": str(port), "password": password}

    @property
    def postgres_password_file(self) -> Path:
        """Where the password of a PostgreSQL is that answers on a port."""
        return self.folder / "postgres.password"

    @property
    def shop_database(self) -> dict[str, str]:
        """How to reach the database of the tea shop: the same server, made when a lab first asks for it."""
        return {**self.database, "dbname": "shop"}

    @property
    def aws_url(self) -> str:
        """Where the stand-in for AWS answers, once a lab has asked for it."""
        host, port = self.where("aws")
        return f"http://{host}:{port}"

    @property
    def redis_password_file(self) -> Path:
        """Where the password of the stack's Redis is."""
        return self.folder / "redis.password"

    @property
    def redis_password(self) -> str:
        """What the stack's Redis asks for, once a lab has asked for it."""
        return self.redis_password_file.read_text(encoding="ascii")


def path(record: str = MAIN) -> Path:
    """Return where a stack's state file is."""
    return paths.STATE / f"{record}.json"


def load(record: str = MAIN) -> State | None:
    """Return the recorded stack, or None where there is none.

    Raises:
        LabError: The file cannot be understood.
    """
    try:
        table = json.loads(path(record).read_text(encoding="utf-8"))
        state = State(**table)
        # `stop` removes this folder with all that is in it: it had better be one that we made.
        run = PurePath(state.run)
        if not state.id or run.name != f"lab-{os.getuid()}-{state.id}" or not run.is_absolute() or ".." in run.parts:
            raise ValueError(f"run = {state.run!r}")  # noqa: TRY301  told like every other fault of the file
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise LabError("stack.broken_state", file=path(record), reason=error) from error
    return state


def save(state: State) -> None:
    """Write the state file in one step, so that a crash leaves the old one or the new one."""
    target = path(state.record)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f"{state.record}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(state), file, indent=2)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def forget(record: str = MAIN) -> None:
    """Remove a state file and drafts of it that a killed process left."""
    target = path(record)
    target.unlink(missing_ok=True)
    for draft in target.parent.glob(f"{record}-*"):
        draft.unlink(missing_ok=True)
