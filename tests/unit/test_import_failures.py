"""A Dag file that Airflow cannot load: its reason in one line, and the line in the learner's file."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Self

import pytest

from labkit import session
from labkit.airflow.metadata import ImportFailure, reason_and_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

SOURCES = [
    ("import json\nx = 1 +\n", 2, "SyntaxError: invalid syntax"),
    ("x = (1,\ny = 2\n", 1, "SyntaxError: '(' was never closed"),
    ("def f():\nreturn 1\n", 2, "IndentationError: expected an indented block after function definition on line 1"),
    ("\n\n\nundefined\n", 4, "NameError: name 'undefined' is not defined"),
    ("import json\njson.loads('{')\n", 2, "json.decoder.JSONDecodeError: Expecting property name"),
    ("def deep():\n    raise ValueError('in here')\n\ndeep()\n", 2, "ValueError: in here"),
    ("import no_such_module_at_all\n", 1, "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
]


def stack_trace(source: str, file: Path) -> str:
    """Return what Python says of a file that cannot be loaded."""
    file.write_text(source, encoding="utf-8")
    try:
        exec(compile(source, str(file), "exec"), {})  # noqa: S102  that is what importing does
    except Exception:  # noqa: BLE001  whatever it is
        return traceback.format_exc()
    raise AssertionError(source)


@pytest.mark.parametrize(("source", "line", "reason"), SOURCES)
def test_reason_and_line_are_found_in_pythons_own_words(source: str, line: int, reason: str, tmp_path: Path) -> None:
    found = reason_and_line(stack_trace(source, tmp_path / "handle_payment.py"), "handle_payment.py")
    assert found[1] == line
    assert found[0].startswith(reason)


def test_a_file_in_a_folder_of_its_own_is_found_too(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    assert reason_and_line(stack_trace("1 / 0\n", tmp_path / "dags" / "tea.py"), "dags/tea.py")[1] == 1


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ("", ("", None)),
        ("AirflowException: too many Dags", ("AirflowException: too many Dags", None)),
        ('  File "/x/other.py", line 3\nValueError: x', ("ValueError: x", None)),
        ('  File "/x/tea.py", line many\nValueError: x', ("ValueError: x", None)),
    ],
)
def test_a_trace_without_the_file_has_a_reason_and_no_line(trace: str, expected: tuple[str, int | None]) -> None:
    assert reason_and_line(trace, "tea.py") == expected


class _Broken:
    """A running stack whose only trouble is a Dag file."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.state = self
        self.versions: dict[str, str] = {}
        self.capacity = 0
        self.lane, self.labs, self.started, self.ready = "local", ["03-x"], "2026-11-25T03:00:00+00:00", True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def parts(self) -> list[Any]:
        return []

    def metadata(self) -> Self:
        return self

    def waiting(self) -> list[Any]:
        return []

    def import_failures(self) -> list[ImportFailure]:
        return [ImportFailure("03-x-work", "tea.py", self.reason, 7)]

    def dags(self) -> dict[str, Any]:
        return {}

    def watchers(self) -> list[Any]:
        return []

    def trigger_log(self) -> list[str]:
        return []


@pytest.mark.parametrize("reason", ["SyntaxError: invalid syntax", "KeyError: '[/red]'", "TypeError: list[int] [bold]"])
def test_status_shows_file_line_andreason_and_line_as_they_are(
    reason: str, lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", lambda: _Broken(reason))
    outcome = lab("status")
    assert outcome.code == 1
    assert "tea.py:7" in outcome.out
    assert reason in outcome.out
    assert outcome.err == ""
