"""Hints given so far: each call one more, and nothing lost to a broken file."""

from __future__ import annotations

import pytest

from labkit import paths, progress

pytestmark = pytest.mark.usefixtures("checkout")


def test_each_call_gives_one_more_hint_until_the_last() -> None:
    assert [progress.next_hint("03-x", "run", 3) for _ in range(5)] == [0, 1, 2, 2, 2]


def test_steps_and_labs_are_counted_apart() -> None:
    progress.next_hint("03-x", "run", 3)
    assert progress.next_hint("03-x", "watcher", 3) == 0
    assert progress.next_hint("04-y", "run", 3) == 0
    assert progress.next_hint("03-x", "run", 3) == 1


def test_a_lab_begun_anew_begins_with_the_first_hint() -> None:
    progress.next_hint("03-x", "run", 3)
    progress.next_hint("04-y", "run", 3)
    progress.forget("03-x")
    progress.forget("never seen")
    assert progress.next_hint("03-x", "run", 3) == 0
    assert progress.next_hint("04-y", "run", 3) == 1


def test_what_verify_found_is_remembered_until_the_lab_is_begun_anew() -> None:
    assert not progress.passed("03-x", "run")
    progress.note("03-x", "run", passed=True)
    progress.next_hint("03-x", "run", 3)
    assert progress.passed("03-x", "run")
    assert not progress.passed("04-y", "run")
    progress.note("03-x", "run", passed=False)
    assert not progress.passed("03-x", "run")
    progress.note("03-x", "run", passed=True)
    progress.forget("03-x")
    assert not progress.passed("03-x", "run")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"null"])
def test_a_broken_file_is_begun_anew(content: bytes) -> None:
    paths.STATE.mkdir()
    (paths.STATE / "progress.json").write_bytes(content)
    assert progress.next_hint("03-x", "run", 3) == 0
    assert progress.next_hint("03-x", "run", 3) == 1


def test_no_draft_is_left() -> None:
    progress.next_hint("03-x", "run", 3)
    assert [file.name for file in paths.STATE.iterdir()] == ["progress.json"]
