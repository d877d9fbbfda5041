"""The file with Airflow's connections: whole, its owner's only, and kept when a broker moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labkit.airflow import connections
from labkit.brokers.redis import make_password
from labkit.config import CONNECTION_KINDS
from labkit.stack.ports import PREFERRED
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A stack with its usual ports."""
    return State(id="x", run=str(tmp_path), ports=dict(PREFERRED))


def read(state: State) -> dict[str, dict[str, object]]:
    table: dict[str, dict[str, object]] = json.loads(connections.file(state.folder).read_text(encoding="utf-8"))
    return table


def test_there_is_a_connection_for_each_kind_that_a_lab_may_ask_for() -> None:
    assert set(CONNECTION_KINDS) == connections.KINDS.keys()


def test_all_lead_to_this_machine_and_only_their_owner_reads_them(state: State) -> None:
    connections.write(state, ["kafka_teas"], {"s3": "aws", "web": "http", "shop": "postgres"})
    table = read(state)
    assert {name: row["conn_type"] for name, row in table.items()} == {
        "kafka_teas": "kafka",
        "s3": "aws",
        "web": "http",
        "shop": "postgres",
    }
    text = json.dumps(table)
    assert text.count("127.0.0.1") == 3
    assert str(state.folder / "postgres") in text
    assert connections.file(state.folder).stat().st_mode & 0o077 == 0


def test_a_key_for_the_stand_in_is_new_each_time(state: State) -> None:
    assert connections.aws(state)["password"] != connections.aws(state)["password"]


def test_a_broker_that_moves_takes_its_connections_along_and_leaves_the_others(state: State) -> None:
    connections.write(state, ["kafka_teas"], {"s3": "aws"})
    before = read(state)
    connections.move(state.folder, "127.0.0.1:1")
    after = read(state)
    assert after["s3"] == before["s3"]
    assert after["kafka_teas"] == connections.kafka("kafka_teas", "127.0.0.1:1")


def test_redis_gets_the_stacks_own_password_and_whoever_looks_sees_none(state: State) -> None:
    make_password(state)
    connections.write(state, [], {"kiosk": "redis", "s3": "aws"})
    kiosk = read(state)["kiosk"]
    assert (kiosk["host"], kiosk["port"], kiosk["password"]) == (
        "127.0.0.1", PREFERRED["redis"], state.redis_password,
    )  # fmt: skip
    assert connections.shown(state.folder, "kiosk") == kiosk | {"password": "***"}
    assert connections.shown(state.folder, "s3")["password"] == "***"  # noqa: S105  a mask is no password
