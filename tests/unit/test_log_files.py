"""Logs: read from the start, followed as they grow, and found again when they are rotated."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from labkit.stack.logs import follow, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with two lines."""
    file = tmp_path / "kafka.log"
    file.write_text("one\ntwo\n", encoding="utf-8")
    return file


@pytest.fixture
def following(log: Path) -> Iterator[Callable[[], str]]:
    """Follow the log in a thread; returns the next line it gave."""
    lines: queue.Queue[str] = queue.Queue()
    begun = threading.Event()

    def pump() -> None:
        begun.set()
        try:
            for line in follow(log):
                lines.put(line)
        except OSError as error:
            lines.put(repr(error))

    threading.Thread(target=pump, daemon=True).start()
    begun.wait()
    threading.Event().wait(0.3)  # it has looked once
    return lambda: lines.get(timeout=5)


def append(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(text)


def test_reading_gives_all_lines(log: Path) -> None:
    assert list(read(log)) == ["one", "two"]


def test_reading_a_log_that_is_not_there_yet_gives_none(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none.log")) == []


def test_bytes_that_are_no_utf_8_are_shown_as_such(log: Path) -> None:
    log.write_bytes(b"caf\xe9\n\xe8\x8c\xb6\n")
    assert list(read(log)) == ["caf\ufffd", "茶"]


def test_following_gives_only_what_is_written_from_now_on(log: Path, following: Callable[[], str]) -> None:
    append(log, "three\n茶\n")
    assert [following(), following()] == ["three", "茶"]
    append(log, "four\n")
    assert following() == "four"


def test_following_goes_on_when_the_log_is_rotated(log: Path, following: Callable[[], str]) -> None:
    append(log, "three\n")
    assert following() == "three"
    log.rename(log.with_suffix(".log.1"))
    log.write_text("new\n", encoding="utf-8")
    assert following() == "new"
    append(log, "newer\n")
    assert following() == "newer"


def test_following_survives_a_log_that_is_gone_for_a_while(log: Path, following: Callable[[], str]) -> None:
    log.unlink()
    threading.Event().wait(0.5)
    log.write_text("again\n", encoding="utf-8")
    assert following() == "again"


def test_a_line_that_is_written_in_two_halves_is_one_line(log: Path, following: Callable[[], str]) -> None:
    append(log, "half ")
    threading.Event().wait(0.6)
    append(log, "whole\n")
    assert following() == "half whole"
