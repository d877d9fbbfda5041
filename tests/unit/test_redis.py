"""The stack's Redis: a real server, its owner's only, that writes nothing and that `stop` finds."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from labkit.brokers import redis, sources
from labkit.errors import LabError
from labkit.i18n import LANGUAGES, use
from labkit.stack import owned
from labkit.stack.local import LocalStack
from labkit.stack.ports import any_free
from labkit.stack.state import State
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import Outcome

    from labkit.i18n import Language

needs_server = pytest.mark.skipif(redis.executable() is None, reason="there is no redis-server")


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A stack's record and folder."""
    run = tmp_path / f"lab-{os.getuid()}-7ea"
    run.mkdir()
    made = State(id="7ea", run=str(run), ports={"redis": any_free()})
    redis.make_password(made)
    return made


@pytest.fixture
def server(state: State) -> Iterator[subprocess.Popen[bytes]]:
    """Its server, started as the supervisor would, but without the mark."""
    program = redis.program(state)
    assert program
    process = subprocess.Popen(program.command, cwd=program.folder, stdout=subprocess.DEVNULL)
    try:
        until(lambda: redis.healthy(state), seconds=10)
        yield process
    finally:
        process.kill()
        process.wait()


@needs_server
def test_what_is_said_counts_its_listeners_and_is_kept_for_nobody(
    state: State, server: subprocess.Popen[bytes]
) -> None:
    del server
    assert redis.publish(state, "teas", ["oolong"]) == [0]
    with redis.client(state) as client, client.pubsub() as listener:
        listener.subscribe("teas")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        assert redis.publish(state, "teas", ["green", "烏龍"]) == [1, 1]
        heard = [listener.get_message(timeout=5)["data"].decode() for _ in range(2)]
    assert heard == ["green", "烏龍"]


@needs_server
def test_who_listened_before_the_last_message_is_no_reader_of_an_experiments(
    state: State, server: subprocess.Popen[bytes]
) -> None:
    del server
    channel = sources.Channel(state, "teas", "")

    def listening(stack: ExitStack) -> None:
        listener = stack.enter_context(stack.enter_context(redis.client(state)).pubsub())
        listener.subscribe("teas")
        assert listener.get_message(timeout=5)["type"] == "subscribe"

    with ExitStack() as listeners:
        assert not channel.has_readers()
        listening(listeners)
        assert channel.can_send()
        channel.forget()
        assert not channel.has_readers(), "it is a leftover"
        listening(listeners)
        assert channel.can_send()
        channel.send("oolong")
        assert channel.is_taken()
        assert not channel.can_send(), "the trigger that got it ends with it"
        listening(listeners)
        assert channel.can_send()
    channel.send("green")
    assert not channel.is_taken()


@needs_server
def test_nobody_gets_in_without_the_password(state: State, server: subprocess.Popen[bytes]) -> None:
    del server
    state.redis_password_file.write_text("guessed", encoding="ascii")
    assert not redis.healthy(state)
    with pytest.raises(LabError):
        redis.publish(state, "teas", ["oolong"])


@needs_server
def test_it_ends_without_having_written_anything_and_stop_finds_it(
    state: State, server: subprocess.Popen[bytes]
) -> None:
    redis.publish(state, "teas", ["oolong"])
    assert server.pid in {process.pid for process in owned.processes(state)}
    server.terminate()
    assert server.wait(timeout=10) == 0
    assert [file.name for file in (state.folder / "redis").iterdir()] == ["redis.conf"]


@needs_server
def test_its_files_are_its_owners_only(state: State) -> None:
    redis.program(state)
    for file in (state.redis_password_file, state.folder / "redis" / "redis.conf"):
        assert file.stat().st_mode & 0o077 == 0
    program = redis.program(state)
    assert program
    assert state.redis_password not in " ".join(program.command)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_machine_without_a_server_is_told_what_to_install(
    language: Language, state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(language)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.program(state) is None
    with pytest.raises(LabError, match="apt install redis-server"):
        LocalStack(state).serve("redis")


@pytest.mark.parametrize(("language", "said"), [("en", "only the labs with Redis"), ("zh-TW", "用到 Redis 的實驗")])
def test_the_doctor_says_so_and_does_not_call_it_a_failure(
    language: str, said: str, lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(redis, "executable", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither this machine's Docker nor its package index is asked
    outcome = lab("doctor", "--lang", language)
    assert said in outcome.out
    assert "apt install redis-server" in outcome.out
    assert "✗ Redis" not in outcome.out


def test_the_systems_valkey_serves_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "valkey-server"
    server.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.executable() == server


def test_a_server_that_does_not_answer_is_named(state: State) -> None:
    with pytest.raises(LabError, match=f"127.0.0.1:{state.ports['redis']}"):
        redis.publish(state, "teas", ["oolong"])
