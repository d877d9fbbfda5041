"""Airflow's connections to the broker, in a file that only the stack's owner can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def file(run: Path) -> Path:
    """Return the file that Airflow's `LocalFilesystemBackend` reads."""
    return run / "connections.json"


def kafka(connection: str, bootstrap: str) -> dict[str, Any]:
    """Return one Kafka connection.

    Each is a consumer group of its own, named like the connection: watchers that shared one would take each
    other's messages.

    Args:
        connection: Its id.
        bootstrap: The broker's address.
    """
    extra = {
        "bootstrap.servers": bootstrap,
        "group.id": connection,
        # A message that was sent before the watcher subscribed is not missed.
        "auto.offset.reset": "earliest",
        # The trigger commits by itself, when it has taken a message.
        "enable.auto.commit": "false",
        # How long the broker waits for a consumer that died before it gives its partitions to the next one.
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 2000,
        # A waiting fetch is answered as soon as there is a message; this is only how often an idle one is renewed.
        "fetch.wait.max.ms": 5000,
    }
    return {"conn_type": "kafka", "extra": extra}


def write(run: Path, names: Iterable[str], bootstrap: str) -> None:
    """Write the connections `names`, all to the broker at `bootstrap`."""
    _replace(run, {name: kafka(name, bootstrap) for name in names})


def move(run: Path, bootstrap: str) -> None:
    """Point the connections that are there to a broker's new address."""
    names = json.loads(file(run).read_text(encoding="utf-8")) if file(run).exists() else {}
    write(run, names, bootstrap)


def _replace(run: Path, table: dict[str, Any]) -> None:
    """Write in one step: Airflow may be reading."""
    draft = file(run).with_suffix(".new.json")
    draft.write_text(json.dumps(table, indent=2), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(file(run))
