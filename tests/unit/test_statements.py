"""PostgreSQL's log, line by line: whose statements they are, and what kind."""

from __future__ import annotations

import pytest

from labkit.airflow.statements import NAMELESS, Count, Tally


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
