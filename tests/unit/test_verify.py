"""`verify`: runs a lab's own checks and words what is missing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Self

import pytest

from labkit import i18n, session, verify
from labkit.airflow.metadata import EventRow, ImportFailure
from labkit.config import Lab, Step
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

CHECKS = """
from labkit.verify import NotYet

def done(metadata, lab):
    metadata.asked.append(lab.id)

def not_done(metadata, lab):
    raise NotYet(en="The kettle is cold.", zh_tw="水還沒煮。")
"""


class _Metadata:
    """Stands in for the metadata database."""

    def __init__(self, *failures: ImportFailure) -> None:
        self.asked: list[str] = []
        self.failures = list(failures)

    def import_failures(self) -> list[ImportFailure]:
        return self.failures


@pytest.fixture
def tea(tmp_path: Path) -> Lab:
    """A lab with one step that is done and one that is not."""
    folder = tmp_path / "08-tea"
    folder.mkdir()
    (folder / "verify.py").write_text(CHECKS, encoding="utf-8")
    steps = tuple(
        Step(name, {"en": name, "zh-TW": name}, {"en": ["?"], "zh-TW": ["?"]}) for name in ("done", "not-done")
    )
    return Lab(folder, 8, {"en": "Tea", "zh-TW": "茶"}, 5, ("teas",), (), steps)


def check(lab: Lab, metadata: _Metadata, only: str | None = None) -> list[verify.Row]:
    return list(verify.check(lab, metadata, only=only))  # type: ignore[arg-type]


def test_each_step_gets_its_verdict(tea: Lab) -> None:
    metadata = _Metadata()
    rows = check(tea, metadata)
    assert [(row.step.id, row.passed) for row in rows] == [("done", True), ("not-done", False)]
    assert metadata.asked == ["08"]


@pytest.mark.parametrize(("language", "text"), [("en", "The kettle is cold."), ("zh-TW", "水還沒煮。")])
def test_what_is_missing_is_said_in_the_users_language(language: i18n.Language, text: str, tea: Lab) -> None:
    i18n.use(language)
    assert check(tea, _Metadata(), only="not-done")[0].missing == text


def test_one_step_alone_can_be_asked_for(tea: Lab) -> None:
    assert [row.step.id for row in check(tea, _Metadata(), only="done")] == ["done"]


@pytest.mark.parametrize(("bundle", "told"), [("08-tea", True), ("08-tea-work", True), ("09-x", False)])
def test_a_failed_step_tells_of_import_errors_of_its_lab(bundle: str, *, told: bool, tea: Lab) -> None:
    failure = ImportFailure(bundle, "brew.py", "SyntaxError: invalid syntax", 12)
    missing = check(tea, _Metadata(failure), only="not-done")[0].missing
    assert missing.startswith("The kettle is cold.")
    assert ("brew.py:12: SyntaxError: invalid syntax" in missing) is told


def test_an_import_error_without_a_line_is_told_without_one(tea: Lab) -> None:
    failure = ImportFailure("08-tea", "brew.py", "AirflowException: no", None)
    assert "brew.py: AirflowException: no" in check(tea, _Metadata(failure), only="not-done")[0].missing


def test_a_lab_without_checks_says_so(tea: Lab) -> None:
    (tea.folder / "verify.py").unlink()
    with pytest.raises(LabError, match=r"verify\.py"):
        check(tea, _Metadata())


def test_a_surprise_in_a_check_is_not_taken_for_a_step_to_be_done(tea: Lab) -> None:
    (tea.folder / "verify.py").write_text("def done(metadata, lab):\n    1 / 0\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        check(tea, _Metadata())


class _Events:
    """A running stack with one event, whose payload a user chose."""

    def __init__(self, payload: str | None, extra: dict[str, Any] | None = None) -> None:
        self.payload, self.extra = payload, extra

    def metadata(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def events(self, _: int) -> list[Any]:
        when = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
        return [EventRow(1, "orders", self.payload, when, "brew", "r", "success", when, when, self.extra)]


@pytest.mark.parametrize("payload", ['{"a": "[/x]"}', '{"a": "[red]"}', '{"a": ["b"]}', '{"茶": "[bold]"}'])
def test_events_show_a_payload_as_it_is(
    payload: str, lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", lambda: _Events(payload))
    monkeypatch.setenv("COLUMNS", "200")
    outcome = lab("events")
    assert outcome.code == 0
    assert payload in outcome.out


def test_events_show_what_the_sender_of_a_pushed_one_wrote(
    lab: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", lambda: _Events(None, {"order_id": 2, "茶": "青", "from_rest_api": True}))
    monkeypatch.setenv("COLUMNS", "200")
    out = lab("events").out
    assert '{"order_id": 2, "茶": "青", "from_rest_api": true}' in out
    assert "None" not in out
