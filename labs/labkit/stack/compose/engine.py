"""The Docker engine: where it listens, whether it will do, its SDK. Nothing is pulled or started here."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests

from labkit import scale
from labkit.errors import LabError
from labkit.i18n import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST_ENGINE = (25, 0)
"""The first that asks a new container for its health more often than a running one (`start_interval`)."""
OLDEST_COMPOSE = (2, 26)
"""What the compose file is tested with."""
NEEDS_MEMORY = 3_000_000_000
"""Bytes that the engine's machine must have: on macOS and Windows that is a virtual machine with a size of its own."""
NEEDS_MORE = {"triggerer": 300_000_000, "scheduler": 300_000_000, "worker": 500_000_000}
"""Bytes for one more of a part: half as much again as they had at most in `tests/compose/test_scale.py`."""

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"

_ENDED = ("Exited (0)", "Exited (137)", "Exited (143)")
"""How the engine words a container that did its work, was killed or was told to end: nothing that failed by itself."""


@dataclass(frozen=True)
class Engine:
    """What is known of an engine that will do.

    Attributes:
        version: Such as `26.1.5`.
        compose: The version of its compose plugin.
        architecture: Such as `amd64`.
        memory: Bytes.
        rootless: Whether it runs with its user's rights only.
    """

    version: str
    compose: str
    architecture: str
    memory: int
    rootless: bool


def check(wanted: Mapping[str, int] | None = None) -> Engine:
    """Return the engine, where it will do.

    Args:
        wanted: How many there are to be of a part, where somebody said so.

    Raises:
        LabError: There is none, it may not be used, it or its compose plugin is too old, or its memory too small.
    """
    if shutil.which("docker") is None:
        raise LabError("docker.no_client")
    with told():
        client = connect()
        version, facts = client.version(), client.info()
    if _numbers(version["Version"]) < OLDEST_ENGINE:
        raise LabError("docker.old_engine", version=version["Version"], oldest=_text(OLDEST_ENGINE))
    compose = _compose_version()
    if _numbers(compose) < OLDEST_COMPOSE:
        raise LabError("docker.old_compose", version=compose, oldest=_text(OLDEST_COMPOSE))
    memory = int(facts.get("MemTotal", 0))
    if memory < NEEDS_MEMORY:
        raise LabError("docker.little_memory", memory=_gigabytes(memory), needs=_gigabytes(NEEDS_MEMORY))
    if wanted and memory < (needs := needed(wanted)):
        so_many = listed(f"{part}={number}" for part, number in wanted.items())
        has, needs_text = _gigabytes(memory), _gigabytes(needs)
        raise LabError("docker.little_memory_for_so_many", wanted=so_many, memory=has, needs=needs_text)
    rootless = any("rootless" in option for option in facts.get("SecurityOptions") or ())
    return Engine(version["Version"], compose, version["Arch"], memory, rootless)


def needed(wanted: Mapping[str, int]) -> int:
    """Return the bytes that so many of each part need, all others included."""
    more = (NEEDS_MORE[part] * (number if part == scale.WORKER else number - 1) for part, number in wanted.items())
    return NEEDS_MEMORY + sum(more)


@functools.cache
def connect() -> docker.DockerClient:
    """Return the SDK's client of the engine that the command `docker` speaks to."""
    return docker.DockerClient(base_url=address(), timeout=120)


def address() -> str:
    """Return where the engine listens: DOCKER_HOST, or what the chosen context says, which the SDK does not know of."""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise LabError("docker.no_engine", address="?", details=outcome.stderr.strip())
    return outcome.stdout.strip()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say in a sentence what is wrong where the engine does not answer or refuses.

    Raises:
        LabError: Instead of the SDK's own errors.
    """
    try:
        yield
    except docker.errors.NotFound as error:
        raise LabError("docker.refused", reason=error.explanation or error) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        causes = list(_causes(error))
        if any(isinstance(cause, PermissionError) for cause in causes):
            raise LabError("docker.no_permission", address=address()) from error
        if isinstance(error, docker.errors.APIError):
            raise LabError("docker.refused", reason=error.explanation or error) from error
        raise LabError("docker.no_engine", address=address(), details=str(causes[-1])) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps: `requests` and `urllib3` keep the system's own error in their arguments."""
    yield error
    inner = [error.__cause__, error.__context__, *error.args, getattr(error, "reason", None)]
    for one in inner:
        if isinstance(one, BaseException):
            yield from _causes(one)
            return


def _compose_version() -> str:
    outcome = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise LabError("docker.no_compose", oldest=_text(OLDEST_COMPOSE))
    return outcome.stdout.strip().removeprefix("v")


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; distributions append words of their own."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def containers(project: str, only: str = "") -> dict[str, Any]:
    """Return the containers of a compose project, by part; those that did one thing and ended included.

    Args:
        project: Its name.
        only: This part, and no other.
    """
    labels = [f"{_PROJECT}={project}"]
    if only:
        service, number = scale.split(only)
        labels += [f"{_SERVICE}={service}", f"{_NUMBER}={number}"]
    with told():
        found = connect().containers.list(all=True, filters={"label": labels})
    return {part(one): one for one in found}


def part(container: Any) -> str:
    """Return what a container is called in its project: its service, and from the second on its number."""
    number = int(container.labels[_NUMBER])
    return scale.names(str(container.labels[_SERVICE]), number)[-1]


def tail(container: Any, lines: int = 25) -> str:
    """Return the end of what a container has written."""
    with told():
        words: bytes = container.logs(tail=lines)
    return words.decode(errors="replace")


def broken(project: str) -> Any:
    """Return the first container that keeps dying or has failed, None where there is none; one question, no more."""
    filters = {"label": f"{_PROJECT}={project}", "status": ["restarting", "exited", "dead"]}
    with told():
        for one in connect().containers.list(all=True, filters=filters, sparse=True):
            if not one.attrs["Status"].startswith(_ENDED):
                return one
    return None


def sweep(project: str) -> int:
    """Remove every container, network and volume of a compose project; returns how many containers there were."""
    label = {"label": f"{_PROJECT}={project}"}
    with told():
        client = connect()
        found = client.containers.list(all=True, filters=label)
        for kind in (found, client.networks.list(filters=label), client.volumes.list(filters=label)):
            for one in kind:
                with contextlib.suppress(docker.errors.NotFound):  # it went by itself
                    one.remove(**({"force": True, "v": True} if kind is found else {}))
    return len(found)
