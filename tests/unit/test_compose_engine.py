"""Clear stops before anything is pulled: an engine that is not there, not allowed, too old or too small."""

from __future__ import annotations

import contextlib
import gc
import http.server
import json
import os
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest

from labkit import i18n
from labkit.errors import LabError
from labkit.stack.compose import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import Outcome

# Of the SDK's sockets; see `machine`.
pytestmark = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")

GOOD = {"version": "26.1.5+dfsg1", "memory": 8_000_000_000, "compose": "2.26.1-4"}


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers on a socket, as an engine does, what version it is and how much memory it has."""

    daemon_threads = True

    def __init__(self, address: str, version: str, memory: int, options: list[str]) -> None:
        told = {
            "version": {"Version": version, "ApiVersion": "1.45", "Arch": "amd64"},
            "info": {"MemTotal": memory, "SecurityOptions": options},
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(told.get(self.path.rpartition("/")[2], {})).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "socket"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(address, Handler)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have a machine with a `docker` command and an engine as described; nothing else of that name is found."""
    engine.connect.cache_clear()
    with contextlib.ExitStack() as end:

        def make(*, client: bool = True, running: bool = True, options: tuple[str, ...] = (), **described: Any) -> None:
            facts = GOOD | described
            programs, address = tmp_path / "bin", tmp_path / "docker.sock"
            programs.mkdir()
            monkeypatch.setenv("PATH", str(programs))
            if client:
                compose = f"echo {facts['compose']}" if facts["compose"] else "exit 1"
                script = programs / "docker"
                script.write_text(
                    f'#!/bin/sh\ncase "$1" in\n context) echo unix://{address};;\n compose) {compose};;\nesac\n'
                )
                script.chmod(0o755)
            if running:
                server = end.enter_context(FakeEngine(str(address), facts["version"], facts["memory"], list(options)))
                thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
                thread.start()
                end.callback(thread.join)
                end.callback(server.shutdown)

        yield make
        if engine.connect.cache_info().currsize:
            engine.connect().close()
        engine.connect.cache_clear()
        gc.collect()  # the SDK leaves the socket open that it could not connect


def test_an_engine_that_will_do_is_described(machine: Callable[..., None]) -> None:
    machine()
    found = engine.check()
    assert (found.version, found.compose, found.architecture) == ("26.1.5+dfsg1", "2.26.1-4", "amd64")
    assert not found.rootless


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_so_many_of_a_part_need_more_memory(machine: Callable[..., None], language: i18n.Language) -> None:
    machine(memory=4_000_000_000)
    i18n.use(language)
    engine.check({"triggerer": 2})
    with pytest.raises(LabError) as refused:
        engine.check({"worker": 3, "scheduler": 2})
    assert refused.value.key == "docker.little_memory_for_so_many"
    for word in ("worker=3", "scheduler=2", "4.0 GB", f"{engine.needed({'worker': 3, 'scheduler': 2}) / 1e9:.1f} GB"):
        assert word in str(refused.value)


def test_an_engine_without_roots_rights_is_known_as_such(machine: Callable[..., None]) -> None:
    machine(options=("name=seccomp,profile=builtin", "name=rootless"))
    assert engine.check().rootless


@pytest.mark.parametrize(
    ("described", "key", "named"),
    [
        ({"client": False}, "docker.no_client", "Docker"),
        ({"running": False}, "docker.no_engine", "docker.sock"),
        ({"version": "24.0.7"}, "docker.old_engine", "25.0"),
        ({"compose": ""}, "docker.no_compose", "2.26"),
        ({"compose": "2.24.0"}, "docker.old_compose", "2.26"),
        ({"memory": 2_000_000_000}, "docker.little_memory", "2.0 GB"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_is_missing_is_said_in_a_sentence(
    machine: Callable[..., None], described: dict[str, Any], key: str, named: str, language: i18n.Language
) -> None:
    machine(**described)
    i18n.use(language)
    with pytest.raises(LabError) as refused:
        engine.check()
    assert refused.value.key == key
    assert named in str(refused.value)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_socket_that_may_not_be_used_is_told_from_one_that_is_not_there(
    machine: Callable[..., None], language: i18n.Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    i18n.use(language)

    def denied() -> None:
        reason = PermissionError(13, "Permission denied")
        raise docker.errors.DockerException("Error while fetching server API version") from reason

    with monkeypatch.context() as patch:
        patch.setattr(engine, "connect", denied)
        with pytest.raises(LabError) as refused:
            engine.check()
    assert refused.value.key == "docker.no_permission"
    assert "docker" in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_closed_socket_is_one_that_may_not_be_used(machine: Callable[..., None], tmp_path: Path) -> None:
    machine()
    (tmp_path / "docker.sock").chmod(0)
    with pytest.raises(LabError) as refused:
        engine.check()
    assert refused.value.key == "docker.no_permission"


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("command", [("start", "--docker", "--no-site", "03"), ("images",)])
def test_a_command_stops_with_a_sentence_and_leaves_nothing(
    machine: Callable[..., None],
    lab: Callable[..., Outcome],
    checkout: Path,
    command: tuple[str, ...],
    language: i18n.Language,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(running=False)
    monkeypatch.setenv("LAB_LANG", language)
    outcome = lab(*command)
    assert outcome.code == 1
    assert "docker.sock" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (checkout / ".lab" / "state.json").exists()


@pytest.mark.parametrize(
    ("language", "usable", "alone"),
    [("en", "you may use them", "your own rights"), ("zh-TW", "你有權使用", "自己的權限")],
)
def test_the_doctor_names_engine_compose_and_rights(
    machine: Callable[..., None], lab: Callable[..., Outcome], language: str, usable: str, alone: str
) -> None:
    machine()
    [line] = docker_lines(lab("doctor", "--lang", language).out)
    assert line.startswith("✓")
    assert {"26.1.5+dfsg1", "2.26.1-4"} <= {word.strip(",，") for word in line.replace("，", "， ").split()}
    assert usable in line
    assert alone not in line


@pytest.mark.parametrize(("language", "alone"), [("en", "your own rights"), ("zh-TW", "自己的權限")])
def test_the_doctor_tells_an_engine_without_roots_rights(
    machine: Callable[..., None], lab: Callable[..., Outcome], language: str, alone: str
) -> None:
    machine(options=("name=rootless",))
    assert alone in docker_lines(lab("doctor", "--lang", language).out)[0]


@pytest.mark.parametrize(
    ("language", "optional"), [("en", "only `./lab start --docker`"), ("zh-TW", "只有 `./lab start")]
)
@pytest.mark.parametrize(
    ("described", "mend"),
    [({"client": False}, "Docker Desktop"), ({"running": False}, "docker.sock"), ({"compose": ""}, "2.26")],
)
def test_the_doctor_says_what_is_missing_and_that_the_lane_is_optional(
    machine: Callable[..., None],
    lab: Callable[..., Outcome],
    described: dict[str, Any],
    mend: str,
    language: str,
    optional: str,
) -> None:
    machine(**described)
    told = lab("doctor", "--lang", language).out.splitlines()
    [line] = docker_lines("\n".join(told))
    assert line.startswith("!")
    assert optional in line
    assert mend in told[told.index(line) + 1]


def docker_lines(told: str) -> list[str]:
    """Return what the doctor says of Docker, without what would mend it."""
    return [line for line in told.splitlines() if line[1:].startswith(" Docker")]
