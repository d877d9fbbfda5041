"""Holding a part still: it is let go until it is between two transactions, however busy the machine is."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from labkit import config, i18n, verify
from labkit.airflow import queueing
from labkit.errors import LabError
from labkit.stack import owned
from labkit.stack.local import LocalStack
from labkit.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Busy:
    """A process that needs some time with a core until the transaction that it is in is over.

    Args:
        work: Seconds that it needs.
    """

    def __init__(self, work: float) -> None:
        self.work = work
        self.since: float | None = time.monotonic()

    def suspend(self) -> None:
        if self.since is not None:
            self.work -= time.monotonic() - self.since
        self.since = None

    def resume(self) -> None:
        self.since = time.monotonic()

    def open(self, _: object) -> set[tuple[int, object]]:
        """Return its transactions, as the database tells of them."""
        ran = 0.0 if self.since is None else time.monotonic() - self.since
        return {(1, "now")} if self.work > ran else set()


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStack:
    """A stack in name only."""
    found = LocalStack(State("x", str(tmp_path), broker="kafka-mock"))
    monkeypatch.setattr(found, "_process", lambda _: 1)
    monkeypatch.setattr(found, "metadata", lambda: contextlib.nullcontext(object()))
    monkeypatch.setattr(queueing, "OTHERS", 0.1)
    return found


class _Metadata:
    """A database in which nothing is wrong."""

    def import_failures(self) -> list[object]:
        return []


def make(process: _Busy, monkeypatch: pytest.MonkeyPatch) -> _Busy:
    """Have this process be the one that is held."""
    monkeypatch.setattr(owned, "find", lambda *_: process)
    monkeypatch.setattr(queueing, "open_transactions", process.open)
    return process


@pytest.mark.parametrize("work", [0, 0.05, 0.5])
def test_a_part_in_the_middle_of_a_transaction_gets_the_time_to_end_it(
    work: float, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = make(_Busy(work), monkeypatch)
    with stack.hold("scheduler"):
        assert process.since is None
        assert not process.open(None)
    assert process.since is not None


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_part_that_never_comes_to_rest_goes_on_and_is_not_called_dead(
    language: i18n.Language, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    i18n.use(language)
    monkeypatch.setattr(queueing, "HOLDING", 0.5)
    process = make(_Busy(1e6), monkeypatch)
    with pytest.raises(LabError, match="scheduler") as told, stack.hold("scheduler"):
        pass
    assert (told.value.key, told.value.details) == ("stack.not_held", "")
    assert process.since is not None, "it goes on"


def test_a_scheduler_that_cannot_be_held_is_no_verdict_on_a_learners_code(monkeypatch: pytest.MonkeyPatch) -> None:
    (lab,) = (one for one in config.labs() if one.number == 6)
    checks = verify.module(lab)

    class Notebook:
        """A stack that is too busy."""

        def __init__(self, _: str) -> None: ...

        @contextlib.contextmanager
        def hold(self, part: str) -> Iterator[None]:
            raise LabError("stack.not_held", part=part, seconds="60", details="a log")
            yield

    monkeypatch.setattr(checks, "_watched", lambda *_: None)
    monkeypatch.setattr(checks, "Notebook", Notebook)
    monkeypatch.setattr(verify, "module", lambda _: checks)
    metadata: Any = _Metadata()
    for language, words in {"en": "your code was not judged", "zh-TW": "請再執行一次"}.items():
        i18n.use(language)  # type: ignore[arg-type]  a language's name
        (row,) = verify.check(lab, metadata, only="exercise-mend")
        assert not row.passed
        assert words in row.missing
        assert "a log" not in row.missing
