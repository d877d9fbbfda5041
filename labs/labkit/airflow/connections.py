"""Airflow's connections to what the labs speak to, in a file that only the stack's owner can read."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from labkit.stack.state import State


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


def aws(state: State) -> dict[str, Any]:
    """Return a connection to the stand-in for AWS; it takes any key, and this one is nobody's."""
    extra = {"endpoint_url": state.aws_url, "region_name": "us-east-1"}
    return {"conn_type": "aws", "login": "lab", "password": secrets.token_hex(16), "extra": extra}


def http(state: State) -> dict[str, Any]:
    """Return a connection to Airflow's own interface, the one web server that is always there."""
    host, port = state.where("api-server")
    return {"conn_type": "http", "host": host, "schema": "http", "port": port}


def postgres(state: State) -> dict[str, Any]:
    """Return a connection to the shop's database, in the same server as Airflow's own; a socket needs no password."""
    place = state.shop_database
    one: dict[str, Any] = {
        "conn_type": "postgres",
        "host": place["host"],
        "login": place["user"],
        "schema": place["dbname"],
    }
    return one | ({"password": place["password"], "port": int(place["port"])} if "port" in place else {})


def redis(state: State) -> dict[str, Any]:
    """Return a connection to the stack's Redis, which runs once a lab asks for it."""
    host, port = state.where("redis")
    return {"conn_type": "redis", "host": host, "port": port, "password": state.redis_password}


KINDS = {"aws": aws, "http": http, "postgres": postgres, "redis": redis}


def write(state: State, names: Iterable[str], others: Mapping[str, str]) -> None:
    """Write all connections.

    Args:
        state: The stack, as Airflow's processes see it.
        names: Of Kafka connections.
        others: Id → kind of the rest.
    """
    table = {name: kafka(name, state.bootstrap) for name in names}
    _replace(state.folder, table | {name: KINDS[kind](state) for name, kind in others.items()})


def shown(run: Path, name: str) -> dict[str, Any]:
    """Return a connection as it is written down, its password masked.

    Raises:
        KeyError: There is none of that name.
    """
    one: dict[str, Any] = json.loads(file(run).read_text(encoding="utf-8"))[name]
    return one | ({"password": "***"} if "password" in one else {})


def move(run: Path, bootstrap: str) -> None:
    """Point the Kafka connections that are there to a broker's new address."""
    table = json.loads(file(run).read_text(encoding="utf-8")) if file(run).exists() else {}
    moved = {name: kafka(name, bootstrap) for name, one in table.items() if one["conn_type"] == "kafka"}
    _replace(run, table | moved)


def _replace(run: Path, table: dict[str, Any]) -> None:
    """Write in one step: Airflow may be reading."""
    draft = file(run).with_suffix(".new.json")
    draft.write_text(json.dumps(table, indent=2), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(file(run))
