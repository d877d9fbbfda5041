"""`verify`: runs a lab's own checks and words what is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest
from rich.cells import cell_len

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

    def watchers(self) -> list[Any]:
        return []


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


@pytest.mark.parametrize(
    ("bundle", "exercise", "passed"),
    [("08-tea-work", True, False), ("08-tea-work", False, True), ("08-tea", True, True), ("09-x-work", True, True)],
)
def test_no_exercise_passes_while_a_file_of_the_learners_cannot_be_imported(
    bundle: str, *, exercise: bool, passed: bool, tea: Lab
) -> None:
    steps = tuple(dataclasses.replace(step, exercise=exercise) for step in tea.steps)
    failure = ImportFailure(bundle, "brew.py", "KeyError: 'scheme'", 12)
    row = check(dataclasses.replace(tea, steps=steps), _Metadata(failure), only="done")[0]
    assert row.passed is passed
    assert row.missing == ("" if passed else "Airflow could not import: brew.py:12: KeyError: 'scheme'")


def test_an_import_error_without_a_line_is_told_without_one(tea: Lab) -> None:
    failure = ImportFailure("08-tea", "brew.py", "AirflowException: no", None)
    assert "brew.py: AirflowException: no" in check(tea, _Metadata(failure), only="not-done")[0].missing


def test_a_failed_step_tells_of_a_broker_that_a_kafka_client_asks_in_vain(tea: Lab) -> None:
    stamp = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
    line = (
        f"{stamp} [error    ] %3|1.2|FAIL|rdkafka#consumer-15| [thrd:x]: 10.0.0.9:9092/bootstrap: Connect to x failed"
    )
    done, not_done = verify.check(tea, _Metadata(), log=[line])  # type: ignore[arg-type]
    assert done.missing == ""
    assert "goes on asking for a broker at 10.0.0.9:9092" in not_done.missing
    assert "→ Nobody answers at 10.0.0.9:9092" in not_done.missing


def test_a_lab_without_checks_says_so(tea: Lab) -> None:
    (tea.folder / "verify.py").unlink()
    with pytest.raises(LabError, match=r"verify\.py"):
        check(tea, _Metadata())


def test_a_surprise_in_a_check_is_not_taken_for_a_step_to_be_done(tea: Lab) -> None:
    (tea.folder / "verify.py").write_text("def done(metadata, lab):\n    1 / 0\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        check(tea, _Metadata())


BREWED = "def brew(cup):\n    return cup\n"


def learners(source: str | None, lab: Lab) -> Any:
    """Return what `learners` says of a file of the learner's: the function, or what is missing in both languages."""
    lab.work.mkdir(parents=True, exist_ok=True)
    if source is not None:
        (lab.work / "tea_maker.py").write_text(source, encoding="utf-8")
    before = list(sys.path)
    try:
        return verify.learners(lab, "tea_maker", "brew")
    except verify.NotYet as missing:
        return missing.text
    finally:
        assert sys.path == before


@pytest.mark.parametrize(
    ("source", "english", "chinese"),
    [
        (
            BREWED + "x = (1,\n",
            "`tea_maker.py` cannot be imported, line 3: SyntaxError: '(' was never closed",
            "`tea_maker.py` 無法匯入，第 3 行：SyntaxError: '(' was never closed",
        ),
        ("import json\nimport no_such_tea\n", "line 2: ModuleNotFoundError: No module named 'no_such_tea'", "第 2 行"),
        ("\n\nTEAS = {}['oolong']\n" + BREWED, "line 3: KeyError: 'oolong'", "第 3 行：KeyError: 'oolong'"),
        ("def deep():\n    raise SystemExit(3)\n\ndeep()\n", "line 2: SystemExit: 3", "第 2 行：SystemExit: 3"),
        ("def brwe():\n    pass\n", "`tea_maker.py` defines no `brew`.", "`tea_maker.py` 裡沒有定義 `brew`。"),
        (None, "There is no `tea_maker.py` in `work/08-tea`. `./lab reset 08`", "`work/08-tea` 裡沒有 `tea_maker.py`"),
    ],
    ids=["syntax", "no such module", "exception", "exit", "no such name", "no such file"],
)
def test_what_is_wrong_with_a_learners_module_is_told_with_the_line(
    source: str | None, english: str, chinese: str, tea: Lab, checkout: Path
) -> None:
    assert tea.work.is_relative_to(checkout)
    text = learners(source, tea)
    assert english in text["en"]
    assert chinese in text["zh-TW"]


def test_a_learners_module_counts_as_it_is_now(tea: Lab, checkout: Path) -> None:
    assert tea.work.is_relative_to(checkout)
    assert learners(BREWED, tea)("oolong") == "oolong"
    assert learners(BREWED.replace("cup\n", "cup * 2\n"), tea)("tea") == "teatea"


class _Events:
    """A running stack with one event, whose payload a user chose."""

    def __init__(
        self, payload: str | None, extra: dict[str, Any] | None = None, asset: str = "orders", dag: str = "brew"
    ) -> None:
        self.payload, self.extra, self.asset, self.dag = payload, extra, asset, dag

    def metadata(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def events(self, _: int) -> list[Any]:
        when = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
        return [EventRow(1, self.asset, self.payload, when, self.dag, "r", "success", when, when, self.extra)]


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


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize(
    ("asset", "dag"),
    [
        ("orders", "handle_order"),
        ("takeaway_kafka", "stock_by_outbox"),
        ("a_[red]_name_that_no_table_of_this_width_has_room_for", "a_dag_with_a_name_that_is_as_long"),
        ("三號倉庫下午送到的茶葉與紙箱與吸管與封口膜", "handle_delivery_of_the_afternoon"),
    ],
)
def test_events_can_be_read_in_a_narrow_terminal(
    asset: str,
    dag: str,
    width: int,
    language: i18n.Language,
    lab: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = json.dumps({"order_id": 7, "drink": "烏龍", "note": "x" * 100}, ensure_ascii=False)
    monkeypatch.setattr(session, "current", lambda: _Events(payload, {"payload": payload}, asset, dag))
    monkeypatch.setenv("COLUMNS", str(width))
    out = lab("events", "--lang", language).out
    assert max(map(cell_len, out.splitlines())) <= width
    stamp = dt.datetime(2026, 11, 23, tzinfo=dt.UTC).astimezone().strftime("%H:%M:%S")
    told = re.sub(r"\s*\n\s*", "", out)  # a name that is longer than a line goes on in the next
    for whole in (asset, dag, stamp, '{"order_id": 7', "success" if language == "en" else "成功"):
        assert whole in told
    assert out.count("0 ms") == 2
