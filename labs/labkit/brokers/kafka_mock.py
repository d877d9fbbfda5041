"""librdkafka's mock cluster: steps in where Apache Kafka cannot be had, and says so wherever the broker is named.

It speaks Kafka's protocol and keeps nothing: a restart forgets every message, and a consumer that leaves its group
is waited for. Its port is its own choice, a new one each time, so its process writes the address down, for the
engine and into Airflow's connections, and has the triggerer start anew.
`python -m labkit.brokers.kafka_mock ADDRESS_FILE` is that process.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tenacity

from labkit.airflow import connections
from labkit.brokers.client import healthy, publish
from labkit.errors import LabError
from labkit.stack import supervisor
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from labkit.brokers import Message
    from labkit.stack.state import State


class KafkaMock:
    """The stand-in."""

    name = "kafka-mock"

    def prepare(self, progress: Callable[[str, int, int], None]) -> None:
        """Nothing to fetch: it is part of the client library."""

    def program(self, state: State) -> Program:
        """Return its process."""
        command = [sys.executable, "-m", "labkit.brokers.kafka_mock", str(state.address_file)]
        return Program(name="kafka", command=command, folder=state.folder)

    def create_topics(self, state: State, topics: Iterable[str]) -> None:
        """Wait until it answers and ask for each topic: the mock makes what is asked for, and refuses to be told."""
        wait = tenacity.Retrying(stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.1))
        try:
            wait.wraps(lambda: _ask_for(state.bootstrap, topics))()
        except tenacity.RetryError as error:
            raise LabError("kafka.no_answer", address=state.bootstrap) from error

    def healthy(self, state: State) -> bool:
        """Tell whether it answers now."""
        return healthy(state.bootstrap)

    def publish(self, state: State, topic: str, values: Sequence[str]) -> list[Message]:
        """Send the values in order; returns when all are acknowledged."""
        return publish(state.bootstrap, topic, values)


def _ask_for(bootstrap: str, topics: Iterable[str]) -> None:
    from confluent_kafka import Producer  # noqa: PLC0415

    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for topic in topics:
        producer.list_topics(topic, timeout=2)


def serve(address_file: Path) -> None:
    """Be the cluster until told to end."""
    from confluent_kafka import Producer  # noqa: PLC0415

    # The cluster lives as long as this client does.
    cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    address = f"{broker.host}:{broker.port}"
    moved = address_file.exists()
    draft = address_file.with_suffix(".new")
    draft.write_text(address, encoding="utf-8")
    draft.replace(address_file)
    connections.move(address_file.parent, address)
    if moved:
        # A trigger that was about to subscribe would look for the old address for ever: librdkafka tries again and
        # again, and the provider's hook only prints its complaints.
        supervisor.restart(address_file.parent, "triggerer")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
