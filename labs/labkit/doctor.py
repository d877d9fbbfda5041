"""What the machine must have, looked at before anything is downloaded or started."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import psutil

from labkit import paths
from labkit.brokers import jars, redis
from labkit.errors import LabError
from labkit.i18n import listed, t
from labkit.stack import ports
from labkit.stack import state as states
from labkit.ui import size

if TYPE_CHECKING:
    from collections.abc import Iterator

GB = 1_000_000_000
NEEDS_DISK = 1 * GB
NEEDS_MEMORY = int(2.5 * GB)
"""The stack's 1.4 GB and some air for a browser and an editor."""

Grade = Literal["good", "poor", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` says what to do where it is not good."""

    subject: str
    grade: Grade
    found: str
    mend: str = ""


def examine() -> Iterator[Finding]:
    """Yield everything that was looked at, in the order in which it would hurt."""
    yield _python()
    yield _disk()
    yield _memory()
    yield _cores()
    yield _ports()
    yield _zone()
    yield _shell()
    yield _index()
    yield _broker()
    yield _redis()
    yield _docker()


def stop_if_hopeless() -> None:
    """Raise before a start that cannot succeed.

    Raises:
        LabError: The disk is full or the memory too small; the message says how much is missing.
    """
    for finding in (_disk(), _memory()):
        if finding.grade == "bad":
            raise LabError("doctor.stop", subject=finding.subject, found=finding.found, mend=finding.mend)


def _python() -> Finding:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    return Finding("Python", "good" if good else "bad", version, "" if good else t("doctor.python"))


def _disk() -> Finding:
    places = (str(paths.ROOT), tempfile.gettempdir())
    free = min(shutil.disk_usage(place).free for place in places)
    grade: Grade = "good" if free >= NEEDS_DISK else ("poor" if free >= NEEDS_DISK / 4 else "bad")
    mend = "" if grade == "good" else t("doctor.disk", needs=size(NEEDS_DISK))
    return Finding(t("doctor.disk_subject"), grade, size(free), mend)


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    grade: Grade = "good" if available >= NEEDS_MEMORY else ("poor" if available >= NEEDS_MEMORY * 0.6 else "bad")
    mend = "" if grade == "good" else t("doctor.memory", needs=size(NEEDS_MEMORY))
    return Finding(t("doctor.memory_subject"), grade, size(available), mend)


def _cores() -> Finding:
    count = psutil.cpu_count() or 1
    return Finding(
        t("doctor.cores_subject"), "good" if count >= 2 else "poor", str(count), "" if count >= 2 else t("doctor.cores")
    )


def _ports() -> Finding:
    state = states.load()
    if state is not None:
        return Finding(
            t("doctor.ports_subject"), "good", listed(f"{name} {port}" for name, port in state.ports.items())
        )
    taken = [str(port) for port in ports.usual_but_taken().values()]
    if taken:
        return Finding(t("doctor.ports_subject"), "poor", listed(taken), t("doctor.ports"))
    return Finding(t("doctor.ports_subject"), "good", t("doctor.ports_free"))


def _zone() -> Finding:
    return Finding(t("doctor.zone_subject"), "good", f"{time.strftime('%Z %z')}", "")


def _shell() -> Finding:
    shell = os.environ.get("SHELL", "")
    encoding = sys.stdout.encoding or ""
    good = encoding.lower().replace("-", "") == "utf8"
    return Finding(
        t("doctor.shell_subject"),
        "good" if good else "poor",
        f"{shell} ({encoding})",
        "" if good else t("doctor.shell"),
    )


def _index() -> Finding:
    """Whether packages could be had; everything is installed already when this runs, so it is never fatal."""
    # The index is asked by the client that would use it: it knows the user's proxies and mirrors.
    uv = shutil.which("uv") or str(paths.STATE / "tools" / "bin" / "uv")
    command = [
        uv,
        "pip",
        "install",
        "--dry-run",
        "--no-deps",
        "--quiet",
        "--refresh",
        "--reinstall",
        "--python",
        sys.executable,
        "six",
    ]
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(t("doctor.index_subject"), "poor", t("doctor.no"), t("doctor.index"))
    if outcome.returncode:
        return Finding(t("doctor.index_subject"), "poor", t("doctor.no"), t("doctor.index"))
    return Finding(t("doctor.index_subject"), "good", t("doctor.yes"))


def _broker() -> Finding:
    missing = [jar for jar in jars.locked() if not jar.path.exists()]
    if not missing:
        return Finding("Apache Kafka", "good", t("doctor.kafka_here", version=jars.version()))
    left = sum(jar.size for jar in missing)
    return Finding("Apache Kafka", "good", t("doctor.kafka_missing", count=len(missing), size=size(left)))


def _redis() -> Finding:
    """Whether there is a server for the labs that use Redis; the others do without."""
    server = redis.executable()
    if server is None:
        return Finding("Redis", "poor", t("doctor.redis_missing"), t("redis.no_server"))
    return Finding("Redis", "good", str(server))


def _docker() -> Finding:
    """Whether there is an engine for `start --docker`; everything else does without."""
    from labkit.stack.compose import engine  # noqa: PLC0415  the SDK, which a start of the local lane does not need

    try:
        found = engine.check()
    except LabError as error:
        return Finding("Docker", "poor", t("doctor.docker_missing"), str(error))
    told = "doctor.docker_rootless" if found.rootless else "doctor.docker_here"
    return Finding("Docker", "good", t(told, version=found.version, compose=found.compose))
