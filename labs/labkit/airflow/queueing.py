"""How asset events become runs: what waits in the queue, which events a run has, which have none.

Table and column names are those of Airflow 3.3.2 (`airflow/models/asset.py`, `dagrun.py`); those that are read here are
the same in 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.waiting import until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection

    from labkit.airflow.metadata import Metadata

HOLDING = 60.0
"""Seconds within which a part has to come to a moment at which it has no transaction open."""
OTHERS = 2.0
"""Seconds that transactions have to end. While a part is held, those of others do, and one of its own does not."""


@dataclass(frozen=True)
class Mark:
    """A moment, as the newest asset event and the newest run: what comes later has higher ids."""

    event: int
    run: int


@dataclass(frozen=True)
class Counted:
    """What became of the events since a mark.

    Attributes:
        events: How many there are.
        runs: How many of them each run has, in the order in which the runs were made.
        left: How many belong to no run of the Dag.
    """

    events: int
    runs: list[int]
    left: int


def mark(metadata: Metadata) -> Mark:
    """Return this moment."""
    query = """
        SELECT (SELECT coalesce(max(id), 0) FROM asset_event) AS event,
               (SELECT coalesce(max(id), 0) FROM dag_run) AS run
    """
    return Mark(**metadata.rows(query)[0])


def count(metadata: Metadata, dag: str, assets: Collection[str], since: Mark) -> Counted:
    """Count the events on some assets, and a Dag's runs, since a mark."""
    names = list(assets)
    events = """
        SELECT count(DISTINCT e.id) AS events, count(DISTINCT e.id) FILTER (WHERE r.id IS NULL) AS left
        FROM asset_event e JOIN asset a ON a.id = e.asset_id
        LEFT JOIN dagrun_asset_event link ON link.event_id = e.id
        LEFT JOIN dag_run r ON r.id = link.dag_run_id AND r.dag_id = %s
        WHERE a.name = ANY(%s) AND e.id > %s
    """
    runs = """
        SELECT r.id, count(link.event_id) FILTER (WHERE link.event_id > %s) AS events
        FROM dag_run r LEFT JOIN dagrun_asset_event link ON link.dag_run_id = r.id
        WHERE r.dag_id = %s AND r.id > %s GROUP BY r.id ORDER BY r.id
    """
    found = metadata.rows(events, [dag, names, since.event])[0]
    taken = [row["events"] for row in metadata.rows(runs, [since.event, dag, since.run])]
    return Counted(found["events"], taken, found["left"])


def pending(metadata: Metadata, dags: Collection[str]) -> int:
    """Return how many of these Dags' queue rows and unfinished runs there are: with none, nothing more will happen."""
    query = """
        SELECT (SELECT count(*) FROM asset_dag_run_queue WHERE target_dag_id = ANY(%s))
             + (SELECT count(*) FROM dag_run WHERE dag_id = ANY(%s) AND state IN ('queued', 'running')) AS pending
    """
    return int(metadata.rows(query, [list(dags), list(dags)])[0]["pending"])


def returned(metadata: Metadata, dag: str, since: Mark) -> list[tuple[Any, dt.datetime]]:
    """Return what the tasks of a Dag's runs since a mark returned, with the time, in order."""
    query = """
        SELECT value, timestamp AS at FROM xcom
        WHERE dag_id = %s AND dag_run_id > %s AND key = 'return_value' ORDER BY timestamp
    """
    return [(row["value"], row["at"]) for row in metadata.rows(query, [dag, since.run])]


def asset_ids(metadata: Metadata, names: Collection[str]) -> dict[str, int]:
    """Return the ids of assets, as far as Airflow knows them."""
    query = """
        SELECT a.name, a.id FROM asset a JOIN asset_active active ON active.name = a.name AND active.uri = a.uri
        WHERE a.name = ANY(%s)
    """
    return {row["name"]: row["id"] for row in metadata.rows(query, [list(names)])}


def open_transactions(metadata: Metadata) -> set[tuple[int, object]]:
    """Return the transactions that are open at this moment, each as its session and when it began."""
    query = """
        SELECT pid, xact_start FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
          AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    """
    return {(row["pid"], row["xact_start"]) for row in metadata.rows(query)}


def stop_between(metadata: Metadata, suspend: Callable[[], object], resume: Callable[[], object]) -> None:
    """Let something stand still at a moment at which it has no transaction open.

    One that stood still in the middle would keep its locks, and others would wait for them.

    Args:
        metadata: The metadata database.
        suspend: Has it stand still.
        resume: Lets it go on.

    Raises:
        TimeoutError: It was never between two transactions for as long as `HOLDING`.
    """

    def is_still() -> bool:
        suspend()
        # Others end theirs; one of what stands still would stay.
        begun = open_transactions(metadata)
        if await_end(metadata, begun, OTHERS):
            return True
        resume()
        # It stood still in the middle of one. Held again at once, it would still be there: on a busy machine it has
        # not had a core in the meantime.
        await_end(metadata, begun, OTHERS)
        return False

    until(is_still, seconds=HOLDING, pause=0.02)


def await_end(metadata: Metadata, transactions: set[tuple[int, object]], seconds: float) -> bool:
    """Wait until none of these transactions is open any more, or some seconds; tells which."""
    try:
        return bool(until(lambda: not transactions & open_transactions(metadata), seconds=seconds, pause=0.05))
    except TimeoutError:
        return False
