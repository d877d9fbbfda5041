"""Apache Kafka's jars from Maven Central: pinned by version and SHA-256, fetched once, checked each time.

`kafka.lock.toml` is the list; `python -m labkit.brokers.jars` writes it anew for other versions. The library `jgo`
resolves and downloads; it only warns of a wrong checksum, so the check that counts is here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import tenacity

from labkit import paths
from labkit.errors import LabError

LOCK = Path(__file__).with_name("kafka.lock.toml")
KAFKA = "org.apache.kafka:kafka_2.13:4.4.0"
# Kafka logs through SLF4J 1.7 and leaves the binding to its distribution.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Jar:
    """One artifact: `group:artifact:version`, its size in bytes and its SHA-256."""

    coordinate: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """Where Maven's layout puts it in the cache."""
        group, artifact, version = self.coordinate.split(":")
        return repository().joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")

    def intact(self) -> bool:
        """Tell whether the file is there and is the one that was locked."""
        if not self.path.exists() or self.path.stat().st_size != self.size:
            return False
        return hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256


def repository() -> Path:
    """Return the folder of downloaded jars."""
    return paths.cache() / "maven"


def locked() -> list[Jar]:
    """Return the list of the lock file."""
    rows = tomllib.loads(LOCK.read_text(encoding="utf-8"))["jar"]
    return [Jar(row["coordinate"], row["size"], row["sha256"]) for row in rows]


def version() -> str:
    """Return Kafka's version."""
    return KAFKA.rpartition(":")[2]


def fetch(progress: Progress) -> None:
    """Have every locked jar in the cache, intact.

    Args:
        progress: Told the jar at work, the bytes done and the bytes of all.

    Raises:
        LabError: A jar could not be had (`kafka.unreachable`) or is not the locked one (`kafka.checksum`).
    """
    repository().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(repository() / ".lock"):
        jars = locked()
        with ThreadPoolExecutor() as threads:  # 45 MB to read and hash
            missing = [jar for jar, intact in zip(jars, threads.map(Jar.intact, jars), strict=True) if not intact]
        total = sum(jar.size for jar in missing)
        done = 0
        for jar in missing:
            _download(jar, functools.partial(_told, progress, jar, done, total))
            done += jar.size


def _told(progress: Progress, jar: Jar, done: int, total: int, received: int) -> None:
    progress(jar.path.name, done + received, total)


def _download(jar: Jar, report: Callable[[int], None]) -> None:
    """Download one jar, trying again when the network stumbles."""
    # The library takes a second to import, and nobody needs it once the jars are there.
    import requests  # noqa: PLC0415
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    received = 0

    @contextlib.contextmanager
    def reporter(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def more(count: int) -> None:
            nonlocal received
            received += count
            report(received)

        yield more

    def attempt() -> None:
        nonlocal received
        received = 0
        jar.path.unlink(missing_ok=True)  # a half-written file of an interrupted download
        resolver = PythonResolver(progress_callback=reporter)
        maven = MavenContext(resolver=resolver, repo_cache=repository(), local_repos=[], timeout=30)
        group, artifact, version_ = jar.coordinate.split(":")
        maven.project(group, artifact).at_version(version_).artifact().resolve()

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential(multiplier=0.5, max=4),
        retry=tenacity.retry_if_exception_type((requests.RequestException, RuntimeError)),
        reraise=True,
    )
    try:
        retrying(attempt)
    except (requests.RequestException, RuntimeError) as error:
        raise LabError("kafka.unreachable", jar=jar.path.name, details=str(error)) from error
    if not jar.intact():
        jar.path.unlink(missing_ok=True)
        raise LabError("kafka.checksum", jar=jar.path.name)


def write_lock() -> None:
    """Resolve Kafka anew and write the lock file.

    Kafka and the logging binding are resolved apart: together, log4j's bill of materials would pull
    `kafka-clients` down to the version that log4j was built with.
    """
    from jgo.maven import MavenContext  # noqa: PLC0415

    maven = MavenContext(repo_cache=repository(), local_repos=[], timeout=30)

    def resolve(coordinate: str, *, transitive: bool) -> list[Any]:
        inputs, others = maven.resolver.resolve([maven.create_dependency(coordinate)], transitive=transitive)
        return [*inputs, *others] if transitive else list(inputs)

    lines = ["# Apache Kafka and what it needs, written by `python -m labkit.brokers.jars`. Do not edit."]
    for dependency in [*resolve(KAFKA, transitive=True), *resolve(LOGGING, transitive=False)]:
        file = dependency.artifact.resolve()
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        component = dependency.artifact.component
        lines += [
            "",
            "[[jar]]",
            f'coordinate = "{component.groupId}:{component.artifactId}:{component.version}"',
            f"size = {file.stat().st_size}",
            f'sha256 = "{digest}"',
        ]
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_lock()
