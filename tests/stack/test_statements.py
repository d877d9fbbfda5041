"""Every statement that reaches the database is counted for the process that sent it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from driver import until

from labkit.airflow.statements import OURS, Statements

if TYPE_CHECKING:
    from driver import Checkout

PARTS = {"scheduler", "triggerer", "dag-processor"}
"""Who speaks to the database when nothing happens."""


def test_each_process_s_statements_are_counted_and_ours_are_not(running: Checkout) -> None:
    stack = running.stack
    with stack.metadata() as metadata:
        with Statements(stack.state) as log:
            before = log.count()
            until(lambda: log.count().keys() >= PARTS, "all parts to have asked something", 30)
            time.sleep(3)  # a span of time is what is measured
            for _ in range(50):
                metadata.rows("SELECT 1")
            counted = log.count()
        for part in PARTS:
            assert counted[part].statements > (before[part].statements if part in before else 0), part
        # A round a second, or nearly; the scheduler of the labs goes round three times.
        assert counted["triggerer"].rounds >= 2
        assert counted["scheduler"].rounds >= counted["triggerer"].rounds
        assert OURS not in counted
        assert "api-async" not in counted or counted["api-async"].statements < 50
        # Afterwards the log is as before.
        until(lambda: metadata.rows("SHOW log_statement")[0]["log_statement"] == "none", "the log to be quiet")


def test_sessions_have_the_names_of_their_parts(running: Checkout) -> None:
    with running.stack.metadata() as metadata:
        rows = metadata.rows("SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE usename = 'airflow'")
    assert {row["name"] for row in rows} >= {*PARTS, OURS}
