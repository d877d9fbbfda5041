"""Kafka's jars: only what was locked gets through."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import jgo.maven
import pytest
import requests
import tenacity.nap

from labkit.brokers import jars
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = b"a jar" * 100
COORDINATE = "org.example:tea:1.0"


@pytest.fixture
def lock(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one small jar, and an empty cache."""
    file = checkout / "lock.toml"
    digest = hashlib.sha256(GOOD).hexdigest()
    file.write_text(
        f'[[jar]]\ncoordinate = "{COORDINATE}"\nsize = {len(GOOD)}\nsha256 = "{digest}"\n', encoding="utf-8"
    )
    monkeypatch.setattr(jars, "LOCK", file)
    return file


@pytest.fixture
def central(lock: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Put a stand-in in Maven Central's place: it answers one request after the other as told."""

    def answers(*contents: bytes | Exception) -> list[str]:
        asked: list[str] = []
        left = list(contents)

        class Maven:
            def __init__(self, **_: object) -> None: ...

            def project(self, group: str, artifact: str) -> Any:
                asked.append(f"{group}:{artifact}")
                return self

            def at_version(self, _: str) -> Any:
                return self

            artifact = at_version_artifact = lambda self: self

            def resolve(self) -> None:
                answer = left.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                jars.locked()[0].path.parent.mkdir(parents=True, exist_ok=True)
                jars.locked()[0].path.write_bytes(answer)

        monkeypatch.setattr(jgo.maven, "MavenContext", Maven)
        monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
        return asked

    return answers


def nothing(_name: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def test_a_jar_is_fetched_once(central: Callable[..., list[str]]) -> None:
    asked = central(GOOD)
    jars.fetch(nothing)
    jars.fetch(nothing)
    assert asked == ["org.example:tea"]
    assert jars.locked()[0].intact()


@pytest.mark.parametrize("content", [GOOD[:-1] + b"X", GOOD[:-1], GOOD + b"X", b"<html>captive portal</html>", b""])
def test_a_jar_that_is_not_the_locked_one_is_deleted_and_told(
    content: bytes, central: Callable[..., list[str]]
) -> None:
    central(content)
    with pytest.raises(LabError, match=r"tea-1\.0\.jar") as refused:
        jars.fetch(nothing)
    assert refused.value.key == "kafka.checksum"
    assert not jars.locked()[0].path.exists()


@pytest.mark.parametrize("content", [GOOD[:-1] + b"X", GOOD[:10], b""], ids=["changed", "cut off", "empty"])
def test_a_jar_that_was_damaged_in_the_cache_is_fetched_anew(content: bytes, central: Callable[..., list[str]]) -> None:
    asked = central(GOOD)
    jar = jars.locked()[0]
    jar.path.parent.mkdir(parents=True)
    jar.path.write_bytes(content)
    assert not jar.intact()
    jars.fetch(nothing)
    assert jar.intact()
    assert len(asked) == 1


def test_a_network_that_stumbles_is_asked_again(central: Callable[..., list[str]]) -> None:
    asked = central(requests.ConnectionError("reset"), requests.Timeout("slow"), GOOD)
    jars.fetch(nothing)
    assert len(asked) == 3
    assert jars.locked()[0].intact()


def test_no_network_is_told_after_three_tries(central: Callable[..., list[str]]) -> None:
    asked = central(*[requests.ConnectionError("no route")] * 3)
    with pytest.raises(LabError) as refused:
        jars.fetch(nothing)
    assert refused.value.key == "kafka.unreachable"
    assert "no route" in refused.value.details
    assert len(asked) == 3


def test_nothing_is_asked_of_the_network_when_all_is_there(central: Callable[..., list[str]]) -> None:
    asked = central()
    jar = jars.locked()[0]
    jar.path.parent.mkdir(parents=True)
    jar.path.write_bytes(GOOD)
    jars.fetch(nothing)
    assert asked == []


def test_the_lock_names_every_jar_with_version_size_and_digest() -> None:
    locked = jars.locked()
    assert len({jar.coordinate for jar in locked}) == len(locked) > 20
    assert jars.KAFKA in {jar.coordinate for jar in locked}
    assert jars.LOGGING in {jar.coordinate for jar in locked}
    for jar in locked:
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+", jar.coordinate)
        assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256)
        assert jar.size > 0
