"""Looks whether the steps of lab 06 are done; one function a step, named like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.verify import NotYet

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab


def stranded(metadata: Metadata, lab: Lab) -> None:
    """Check that an event was taken by a run only because of a later one."""
    del lab
    # A run's `run_after` is its queue row's time. An event that is older by more than a moment had been left behind.
    query = """
        SELECT 1 FROM dag_run r JOIN dagrun_asset_event link ON link.dag_run_id = r.id
        JOIN asset_event e ON e.id = link.event_id
        WHERE r.dag_id = 'take_one_by_one' GROUP BY r.id HAVING count(*) > 1 LIMIT 1
    """
    if not metadata.rows(query):
        raise NotYet(
            en="No run of `take_one_by_one` has taken along an event that had been left behind.",
            zh_tw="`take_one_by_one` 還沒有任何一次執行，順手帶走先前被擱下的事件。",
        )
