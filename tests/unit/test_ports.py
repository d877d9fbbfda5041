"""Ports: the usual ones where they are free."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from labkit.stack import ports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def preferred(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> dict[str, int]:
    """Ports to prefer that are free on this machine now, whatever else runs here."""
    del checkout  # its cache, so that nobody else's promises count
    wanted = {name: ports.any_free() for name in ports.PREFERRED}
    monkeypatch.setattr(ports, "PREFERRED", wanted)
    return wanted


def test_the_usual_ports_are_chosen_where_they_are_free(preferred: dict[str, int]) -> None:
    assert ports.choose("me") == preferred


def test_a_taken_port_is_replaced_by_another_and_the_rest_stay(preferred: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", preferred["site"])):
        assert ports.usual_but_taken() == {"site": preferred["site"]}
        chosen = ports.choose("me")
    assert chosen["site"] != preferred["site"]
    assert {name: port for name, port in chosen.items() if name != "site"} == {
        name: port for name, port in preferred.items() if name != "site"
    }


def test_a_port_that_someone_holds_on_all_addresses_is_taken_too(preferred: dict[str, int]) -> None:
    with socket.create_server(("0.0.0.0", preferred["kafka"])):  # noqa: S104  what other programs do
        assert ports.choose("me")["kafka"] != preferred["kafka"]


def test_no_two_parts_get_the_same_port(preferred: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.any_free()
    monkeypatch.setattr(ports, "PREFERRED", dict.fromkeys(preferred, free))
    chosen = ports.choose("me")
    assert len(set(chosen.values())) == len(preferred)


def test_two_checkouts_that_start_at_once_get_different_ports(preferred: dict[str, int]) -> None:
    mine, theirs = ports.choose("me"), ports.choose("they")
    assert mine == preferred
    assert not set(mine.values()) & set(theirs.values())


def test_the_ports_of_a_checkout_with_a_stack_stay_its_own_however_long_it_runs(
    preferred: dict[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ports, "_PROMISED_FOR", -1.0)  # long ago
    theirs = tmp_path / "theirs"
    (theirs / ".lab").mkdir(parents=True)
    record = theirs / ".lab" / "state.json"
    record.write_text(json.dumps({"ports": ports.choose(str(theirs))}), encoding="utf-8")
    assert not set(ports.choose("me").values()) & set(preferred.values())
    record.unlink()
    assert ports.choose("me") == preferred


def test_a_checkout_that_starts_again_gets_its_ports_again(preferred: dict[str, int]) -> None:
    ports.choose("me")
    assert ports.choose("me") == preferred


def test_a_promise_does_not_last_for_ever(preferred: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_PROMISED_FOR", -1.0)
    ports.choose("they")
    assert ports.choose("me") == preferred


def test_a_port_that_was_listened_on_a_moment_ago_is_free(preferred: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", preferred["site"])) as server:
        client = socket.create_connection(server.getsockname())
        peer, _ = server.accept()
        peer.close()  # the server's side closes first and stays in TIME_WAIT
        client.close()
    assert ports.choose("me")["site"] == preferred["site"]


def test_all_parts_stay_away_from_the_defaults_of_airflow_and_kafka() -> None:
    assert not {8080, 8793, 8794, 9092, 9093, 5432, 8888, 8000} & set(ports.PREFERRED.values())
    assert len(set(ports.PREFERRED.values())) == len(ports.PREFERRED)
