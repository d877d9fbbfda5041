"""What `./lab` writes down for compose: names and ports, Airflow's settings, secrets. All of it is its owner's only.

It lies in the stack's folder and goes with it. Passwords are made for this one stack.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from labkit import paths
from labkit.airflow import connections, settings
from labkit.brokers import redis
from labkit.scale import MOST
from labkit.stack.compose import images
from labkit.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labkit.config import Lab

CHECKOUT = PurePosixPath("/opt/lab")
"""Where containers see `labs/` and `work/`."""

_BUNDLES = "LAB_BUNDLES"
_TRIGGERERS = "LAB_TRIGGERER_OPTIONS"
INSIDE = {"api-server": 8080, "postgres": 5432, "kafka": 9092, "redis": 6379, "aws": 5000}
"""Where the parts answer each other. From this machine they are reached by published ports."""


class Inside(State):
    """A stack as its containers see it: each part under its own name, at its usual port."""

    def where(self, part: str) -> tuple[str, int]:
        """Return host and port at which a part answers another one."""
        return part, INSIDE[part]


def inside(state: State) -> Inside:
    """Return a stack as its containers see it."""
    return Inside(**dataclasses.asdict(state))


def make_secrets(state: State) -> None:
    """Make the passwords of a new stack."""
    redis.make_password(state)
    write_private(state.postgres_password_file, secrets.token_hex(16))


def write(state: State, known: Sequence[Lab], lab_image: str, user: int) -> None:
    """Write all that compose and Airflow are told.

    Args:
        state: The stack.
        known: The labs whose Dags it can load.
        lab_image: The labs' own Airflow.
        user: Whose rights Airflow's containers have.
    """
    names = [name for lab in known for name in lab.connections]
    others = {name: kind for lab in known for name, kind in lab.other_connections.items()}
    connections.write(inside(state), names, others)
    write_private(airflow_file(state), _lines(airflow(state, known)))
    write_private(compose_file(state), _lines(compose(state, known, lab_image, user)))


def compose_file(state: State) -> Path:
    """Return the file with what the compose file leaves open."""
    return state.folder / "compose.env"


def airflow_file(state: State) -> Path:
    """Return the file with the environment of Airflow's containers."""
    return state.folder / "airflow.env"


def seen(path: Path) -> PurePosixPath:
    """Return where containers see a file of the checkout."""
    return CHECKOUT / path.relative_to(paths.ROOT).as_posix()


def load(state: State) -> None:
    """Write down which bundles the dag-processor is to parse now; the rest stays as it is."""
    _change(state, {_BUNDLES: bundles(state)})


def scale(state: State) -> None:
    """Write down how many there are to be of each part now; the rest stays as it is."""
    _change(state, _numbers(state))


def set_capacity(state: State) -> None:
    """Write down how many triggers a triggerer may run; the rest stays as it is."""
    _change(state, {_TRIGGERERS: f"--capacity {state.capacity}" if state.capacity else ""})


def _change(state: State, values: Mapping[str, str]) -> None:
    """Write down some of what the compose file leaves open."""
    lines = compose_file(state).read_text(encoding="utf-8").splitlines(keepends=True)
    rest = "".join(line for line in lines if line.partition("=")[0] not in values)
    write_private(compose_file(state), rest + _lines(values))


def _numbers(state: State) -> dict[str, str]:
    return {f"LAB_SCALE_{part.upper()}": str(state.scale.get(part, 1)) for part in MOST["compose"]}


def bundles(state: State) -> str:
    """Return the dag-processor's arguments: the bundles of the labs that are loaded."""
    return " ".join(f"--bundle-name={name}" for lab in state.labs for name in settings.bundle_names(lab))


def airflow(state: State, labs: Sequence[Lab]) -> dict[str, str]:
    """Return the environment of Airflow's containers, secrets included."""
    place = inside(state).database
    address = f"{place['user']}:{place['password']}@{place['host']}:{place['port']}/{place['dbname']}"
    surroundings = settings.Surroundings(
        database=f"postgresql+psycopg2://{address}",
        execution_api=f"http://api-server:{INSIDE['api-server']}/execution/",
        connections=PurePosixPath("/run/lab/connections.json"),
        seen=seen,
    )
    return {
        # As on the local lane: trigger classes must be importable in the triggerer.
        "PYTHONPATH": ":".join(map(str, map(seen, [paths.LABS, *settings.modules(labs)]))),
        "PYTHONUNBUFFERED": "1",
        # Work folders are the learner's: no compiled files of the container's there.
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
        # Compose starts Airflow when the database answers. To ask once more, the entry point would import all of it.
        "CONNECTION_CHECK_MAX_COUNT": "0",
        **settings.of_both_lanes(state, labs, surroundings),
        **settings.secrets_for_one_stack(),
    }


def compose(state: State, labs: Sequence[Lab], lab_image: str, user: int) -> dict[str, str]:
    """Return what the compose file leaves open: names, ports, passwords."""
    ports = {f"LAB_PORT_{part.upper().replace('-', '_')}": str(state.ports[part]) for part in INSIDE}
    rows = {f"LAB_IMAGE_{one.part.upper()}": images.reference(one) for one in images.listed()}
    return {
        "LAB_ROOT": str(paths.ROOT),
        "LAB_RUN": state.run,
        "LAB_UID": str(user),
        "LAB_IMAGE_LAB": lab_image,
        _BUNDLES: bundles(state),
        _TRIGGERERS: "",
        "LAB_TOPICS": " ".join(topic for lab in labs for topic in lab.topics),
        "LAB_POSTGRES_PASSWORD": state.database["password"],
        "LAB_REDIS_PASSWORD": state.redis_password,
        # Only containers need it.
        "LAB_CELERY_PASSWORD": secrets.token_hex(16),
        **_numbers(state),
        **ports,
        **rows,
    }


def _lines(values: Mapping[str, str]) -> str:
    """Return variables as compose reads them: in single quotes, where nothing is replaced but a quote itself."""
    return "".join("{}='{}'\n".format(name, value.replace("'", "\\'")) for name, value in values.items())


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as target:
        target.write(text)
