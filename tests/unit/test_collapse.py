"""What is made of counted runs, and what `collapse` says when it cannot count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests import pages

from labkit import collapse, config, environments, i18n, session
from labkit.collapse import Outcome, Report
from labkit.errors import FAILED, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome as Told

OLD = Report("1.0", [Outcome("quick", 5, [1], 4, [5], 0), Outcome("paused", 5, [], 5, [6], 0)])
NEW = Report("2.0", [Outcome("quick", 5, [1] * 5, 0, [1], 0), Outcome("batched", 5, [5], 0, [1], 0)])


def test_the_table_has_a_row_a_case_and_says_which_events_each_run_had() -> None:
    first, second = OLD.table.to_dict("records")
    assert (first["runs"], first["events per run"], first["stranded"], first["after one more"]) == (1, "1", 4, "5")
    assert (second["runs"], second["events per run"]) == (0, "none")
    assert NEW.table["events per run"][0] == "1 + 1 + 1 + 1 + 1"


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    OLD.save(tmp_path / "report.json")
    assert collapse.load(tmp_path / "report.json") == OLD


def test_predictions_are_drawn_beside_what_was_counted() -> None:
    chart = OLD.against({"quick": 5, "unheard of": 3}).svg()
    assert ">predicted</text>" in chart
    assert ">counted</text>" in chart
    assert ">quick</text>" in chart
    assert ">paused</text>" not in chart


def test_two_releases_are_drawn_side_by_side_and_a_case_that_one_lacks_leaves_a_gap() -> None:
    chart = OLD.beside(NEW).svg()
    assert all(f">{word}</text>" in chart for word in ("1.0", "2.0", "quick", "paused", "batched"))


def test_the_cases_of_the_project_do_not_share_assets_and_one_needs_a_later_release() -> None:
    _, wanted = config.find_collapse()
    assets = [asset for case in wanted.cases for asset in set(case.events)]
    assert len(assets) == len(set(assets))
    assert [case.name for case in wanted.cases if case.newer]
    assert wanted.dags.is_dir()
    assert wanted.newer.is_dir()


def test_what_the_pages_show_was_recorded_on_a_release_that_has_an_environment() -> None:
    _, wanted = config.find_collapse()
    recorded = {file.stem for file in wanted.recorded.glob("*.json")}
    assert recorded
    assert recorded <= environments.airflow_releases().keys()
    for release in recorded:
        report = collapse.load(wanted.recorded / f"{release}.json")
        assert report.airflow == release
        assert [one.case for one in report.outcomes] == [case.name for case in wanted.cases]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_chapter_shows_what_was_recorded_on_the_later_release(language: str) -> None:
    _, wanted = config.find_collapse()
    (file,) = wanted.recorded.glob("*.json")
    report = collapse.load(file)
    rows = {row[0]: row[1:] for row in pages.table("chapters/06-collapse", language, "ch06c-next")}
    assert rows.keys() == {one.case for one in report.outcomes}
    for one in report.outcomes:
        assert rows[one.case][2:] == [str(len(one.runs)), str(one.left)]


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_an_unknown_release_is_refused_with_those_there_are(language: str, lab: Callable[..., Told]) -> None:
    told = lab("collapse", "--airflow", "1.2.3", "--lang", language)
    assert told.code == USAGE
    assert "1.2.3" in told.err
    assert next(iter(environments.airflow_releases())) in told.err.replace("\n", "")


def test_counting_here_needs_a_stack(lab: Callable[..., Told]) -> None:
    told = lab("collapse")
    assert told.code == FAILED
    assert "./lab start" in told.err


def test_a_stack_that_does_not_know_the_lab_is_refused_with_the_command_that_starts_one(
    lab: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = SimpleNamespace(state=SimpleNamespace(labs=["03-x"], known=["03-x"]))
    monkeypatch.setattr(session, "current", lambda: running)
    told = lab("collapse", "--lang", "zh-TW")
    assert told.code == FAILED
    assert "./lab start 06" in told.err
