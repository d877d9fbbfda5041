"""The bench finds each defect, and nothing but the defect; a trigger without one passes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import specimens

from labkit.bench import CHECKS, examine, examine_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from labkit.bench import Report

NO_EVENT = {"payload-json": "unknown", "unchanged-world": "unknown"}
FIRES = {"yields": "blurred", "unchanged-world": "fires"}

NOT_PASSED: dict[str, dict[str, str]] = {
    "Good": {},
    "GoodSingleShot": {},
    "SleepsBriefly": {},
    "EndsTask": {},
    # The way through the database.
    "Plain": {"event-trigger": "no", "yields": "missed", **NO_EVENT},
    "Unserialisable": {"serialises": "changed", "hash-stable": "differs"},
    "CannotBeWritten": {"serialises": "raises", "hash-stable": "unknown", **dict.fromkeys(CHECKS[3:], "unknown")},
    "Forgetful": {"serialises": "forgets"},
    "Loses": {"serialises": "changed"},
    "Misspelt": {"serialises": "does-not-come-back"},
    "WrongPath": {"serialises": "parent"},
    "Unstable": {"hash-stable": "differs"},
    # Events.
    "Silent": {"yields": "missed", **NO_EVENT},
    "OnlyOnce": {"yields": "missed"},
    "Returns": {"yields": "missed", **NO_EVENT, "cancels": "not-caught"},
    "YieldsPlain": {"yields": "strangers", **NO_EVENT},
    "Raises": {"yields": "missed", "raises-nothing": "raises", **NO_EVENT},
    "RaisesAfterwards": {"raises-nothing": "raises"},
    "Datetime": {"payload-json": "refused"},
    "Bytes": {"payload-json": "refused"},
    "NotANumber": {"payload-json": "refused"},
    # The loop.
    "Sleeps": {"loop-free": "blocked"},
    "NeverComesBack": {
        "yields": "missed",
        "raises-nothing": "unknown",
        **NO_EVENT,
        "loop-free": "stuck",
        "cancels": "unknown",
        "leaves-nothing": "unknown",
    },
    # A world that does not change.
    "Levels": FIRES,
    "Repeats": FIRES,
    "Eager": FIRES,
    "ForgetsAtRestart": FIRES,
    "Doubles": FIRES,
    # The end.
    "Swallows": {"cancels": "goes-on", "leaves-nothing": "unknown"},
    "EndsQuietly": {"cancels": "ends-as-if-done"},
    "CleanupRaises": {"cancels": "cleanup"},
    "FailsToStop": {"cancels": "raises", "raises-nothing": "raises"},
    "LeavesTask": {"leaves-nothing": "left"},
    "LeavesThread": {"leaves-nothing": "left"},
    "LeavesConnection": {"leaves-nothing": "left"},
}
"""Trigger → the checks that it does not pass, each with its outcome; all others it passes."""


@pytest.fixture
def look(tmp_path: Path, trigger_bench: Callable[..., Report]) -> Callable[..., Report]:
    """Examine a specimen that watches an empty folder, into which files come."""

    def look(name: str, **options: Any) -> Report:
        kind = getattr(specimens, name)
        make = kind if name == "Plain" else lambda: kind(str(tmp_path))
        arrive = {"cause": lambda n: (tmp_path / f"{n}.csv").touch(), "events": 2, **options}
        return trigger_bench(make, **arrive)

    return look


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture(autouse=True)
def tidy(monkeypatch: pytest.MonkeyPatch, listener: tuple[str, int]) -> Iterator[None]:
    """See to what specimens leave behind."""
    monkeypatch.setattr(specimens.LeavesConnection, "address", listener)
    specimens.LeavesThread.stop.clear()
    yield
    specimens.LeavesThread.stop.set()
    specimens.LeavesConnection.kept = ()


@pytest.mark.parametrize("name", NOT_PASSED)
def test_each_defect_is_found_and_nothing_else(name: str, look: Callable[..., Report]) -> None:
    report = look(name)
    found = {one.check: one.outcome for one in report.findings if not one.passed}
    assert found == NOT_PASSED[name], report
    assert report.passed is not bool(found)


def test_every_specimen_is_examined() -> None:
    known = {name for name, kind in vars(specimens).items() if isinstance(kind, type) and hasattr(kind, "serialize")}
    assert known - {"BaseTrigger", "BaseEventTrigger"} == NOT_PASSED.keys()


def test_every_check_can_fail(look: Callable[..., Report]) -> None:
    unknown = {"unknown", "blurred", "not-caught", "late"}
    assert {check for found in NOT_PASSED.values() for check, what in found.items() if what not in unknown} == set(
        CHECKS
    )


def test_every_report_has_every_check(look: Callable[..., Report]) -> None:
    for name in ("Good", "Returns", "CannotBeWritten"):
        assert tuple(look(name).verdicts) == CHECKS


def test_what_could_not_be_told_has_not_passed(look: Callable[..., Report]) -> None:
    report = look("Good", cause=None, events=0)
    assert not report.passed
    assert not report.failed
    assert report["yields"].passed is None
    assert report["payload-json"].passed is None


def test_payloads_and_state_are_handed_over(look: Callable[..., Report]) -> None:
    report = look("Good")
    assert report.events == ({"file": "0.csv"}, {"file": "1.csv"})
    assert report.state == {"told": ["0.csv", "1.csv"]}


@pytest.mark.parametrize(("name", "kind"), [("Good", "long-running"), ("GoodSingleShot", "yield-and-return")])
def test_it_tells_which_kind_a_trigger_is(name: str, kind: str, look: Callable[..., Report]) -> None:
    assert look(name).kind == kind


def test_minutes_on_the_clock_take_no_time(look: Callable[..., Report]) -> None:
    report = look("Good")
    assert report.saved > 500
    assert report.seconds < report.saved / 20


def test_the_place_where_the_loop_was_held_is_named(look: Callable[..., Report]) -> None:
    assert "specimens.py" in look("Sleeps")["loop-free"].facts["place"]
    assert "in payload" in look("NeverComesBack")["loop-free"].facts["place"]


class HardOfHearing(specimens.NeverComesBack):
    """Does not end when it is told for the first time, like a task that keeps the exception to itself."""

    def payload(self, name: str) -> Any:
        with contextlib.suppress(BaseException):
            super().payload(name)
        return super().payload(name)


def test_a_trigger_that_never_comes_back_is_not_left_spinning(tmp_path: Path) -> None:
    """It would take a core, and hold up whatever is examined next."""
    report = examine(lambda: HardOfHearing(str(tmp_path)), cause=lambda n: (tmp_path / f"{n}.csv").touch())
    assert report["loop-free"].passed is False
    assert "trigger-bench" not in {thread.name for thread in threading.enumerate()}


def test_without_a_cause_it_is_the_world_as_it_stands_that_counts(tmp_path: Path, look: Callable[..., Report]) -> None:
    (tmp_path / "there.csv").touch()
    report = look("Good", cause=None, events=1)
    assert report.passed, report
    assert report.events == ({"file": "there.csv"},)


def test_an_event_that_was_there_before_any_cause_is_not_taken_for_the_first(
    tmp_path: Path, look: Callable[..., Report]
) -> None:
    (tmp_path / "there.csv").touch()
    report = look("Good")
    assert report["unchanged-world"].passed is False
    assert report.events == ({"file": "0.csv"}, {"file": "1.csv"})


def test_more_events_than_causes_are_missed(look: Callable[..., Report]) -> None:
    assert look("Good", cause=lambda _: None)["yields"].outcome == "missed"


def test_a_cause_may_be_a_coroutine_function(tmp_path: Path, look: Callable[..., Report]) -> None:
    async def arrive(number: int) -> None:
        await asyncio.sleep(0.01)
        (tmp_path / f"{number}.csv").touch()

    assert look("Good", cause=arrive).passed


def test_a_slow_cause_is_not_the_triggers_fault(tmp_path: Path, look: Callable[..., Report]) -> None:
    import time

    def arrive(number: int) -> None:
        time.sleep(0.3)
        (tmp_path / f"{number}.csv").touch()

    assert look("Good", cause=arrive, events=1).passed


def test_a_cause_that_fails_is_the_callers_error(look: Callable[..., Report]) -> None:
    def arrive(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        look("Good", cause=arrive)


def test_what_is_no_trigger_is_refused() -> None:
    with pytest.raises(TypeError, match="not str"):
        examine(lambda: "a trigger")


def test_a_trigger_can_be_given_as_it_is(tmp_path: Path) -> None:
    trigger = specimens.Good(str(tmp_path))
    assert examine(trigger, cause=lambda n: (tmp_path / str(n)).touch()).passed


def test_it_works_where_a_loop_is_running_as_in_a_notebook(tmp_path: Path) -> None:
    async def notebook() -> tuple[Report, Report, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        here = examine(lambda: specimens.Good(str(tmp_path)), cause=lambda n: (tmp_path / f"a{n}").touch())
        ticks = 0
        beside = await examine_async(
            lambda: specimens.Sleeps(str(tmp_path)),
            cause=lambda n: (tmp_path / f"b{n}").touch(),
        )
        ticking.cancel()
        return here, beside, ticks

    here, beside, ticks = asyncio.run(notebook())
    assert here.passed, here
    assert beside["loop-free"].passed is False
    assert ticks > 10, "the caller's loop went on meanwhile"
