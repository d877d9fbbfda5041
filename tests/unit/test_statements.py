"""PostgreSQL's log, line by line: whose statements they are, and what kind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import psycopg2
import pytest

from labkit import i18n
from labkit.airflow import statements
from labkit.airflow.statements import NAMELESS, Count, Statements, Tally
from labkit.errors import LabError
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path


def counted(*lines: str) -> dict[str, Count]:
    tally = Tally()
    for line in lines:
        tally.add(line)
    return tally.counts


def test_a_transaction_with_a_write_is_counted_for_its_process() -> None:
    lines = [
        "lab|scheduler|17|LOG:  statement: BEGIN",
        "lab|scheduler|17|LOG:  statement: SELECT 1",
        "lab|scheduler|17|LOG:  statement: INSERT INTO dag_run (dag_id) ",
        "\tVALUES ('a')",
        "lab|scheduler|17|LOG:  statement: COMMIT",
    ]
    assert counted(*lines) == {"scheduler": Count(statements=2, writes=1, transactions=1)}


@pytest.mark.parametrize("text", ["execute <unnamed>: UPDATE job SET state = $1", "execute __asyncpg_1: UPDATE job"])
def test_prepared_statements_count_too_and_a_session_without_a_name_is_an_api_server_s(text: str) -> None:
    assert counted(f"lab||8|LOG:  {text}") == {NAMELESS: Count(statements=1, writes=1)}


def test_a_round_of_a_loop_is_known_by_its_statement() -> None:
    lines = [
        "lab|triggerer|4|LOG:  statement: SELECT count(trigger.id) AS count_1 ",
        "lab|scheduler|5|LOG:  statement: SELECT pg_try_advisory_xact_lock(2)",
        "lab|scheduler|5|LOG:  statement: SELECT count(trigger.id) AS count_1 ",
    ]
    counts = counted(*lines)
    assert (counts["triggerer"].rounds, counts["scheduler"].rounds) == (1, 1)


@pytest.mark.parametrize(
    "line",
    [
        "lab|lab|3|LOG:  statement: SELECT 1",  # our own
        "lab|scheduler|3|ERROR:  deadlock detected",
        "lab|scheduler|3|LOG:  duration: 3 ms",
        "2026-11-25 LOG:  statement: SELECT 1",  # from before the settings were in force
        "",
        "\tFROM trigger",
    ],
)
def test_what_is_no_statement_of_airflow_counts_for_nothing(line: str) -> None:
    assert counted(line) == {}


def test_a_savepoint_ends_no_transaction() -> None:
    lines = [
        "lab|scheduler|1|LOG:  statement: SAVEPOINT one",
        "lab|scheduler|1|LOG:  statement: ROLLBACK TO SAVEPOINT one",
        "lab|scheduler|1|LOG:  statement: ROLLBACK",
    ]
    assert counted(*lines) == {"scheduler": Count(transactions=1)}


def test_counts_are_subtracted_part_by_part() -> None:
    assert Count(5, 3, 2, 1) - Count(1, 1, 1, 1) == Count(4, 2, 1, 0)


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """What a server is told that logs nothing."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "postgres.log").touch()
    connect = mock.MagicMock()
    monkeypatch.setattr(psycopg2, "connect", connect)
    execute: mock.Mock = connect.return_value.cursor.return_value.__enter__.return_value.execute
    return execute


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(("end", "raised"), [(TimeoutError, LabError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_server_that_does_not_begin_to_log_is_not_left_to_log_everything(
    end: type[BaseException],
    raised: type[BaseException],
    language: i18n.Language,
    said: mock.Mock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    i18n.use(language)
    monkeypatch.setattr(statements, "until", mock.Mock(side_effect=end))
    with pytest.raises(raised) as told, Statements(State(id="x", run=str(tmp_path))):
        pytest.fail("it began all the same")
    asked = [call.args[0] for call in said.call_args_list]
    assert "ALTER SYSTEM SET log_statement = %s" in asked
    assert asked[-1] == "SELECT pg_reload_conf()"
    assert asked.index("ALTER SYSTEM RESET log_statement") > asked.index("ALTER SYSTEM SET log_statement = %s")
    if isinstance(told.value, LabError):
        assert str(tmp_path / "log" / "postgres.log") in str(told.value)
        assert i18n.catalogue()["postgres.silent"][language][:10] in str(told.value)
