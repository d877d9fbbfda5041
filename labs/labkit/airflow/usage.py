"""What Dags take of Airflow: worker slots, runs, task instances, rows written. Read from the metadata database.

Table and column names are those of Airflow 3.3.2 (`airflow/models/dagrun.py`, `taskinstance.py`, `xcom.py`).
"""

from __future__ import annotations

import contextlib
import datetime as dt  # noqa: TC003  dataclass fields are read at run time
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psycopg2

from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labkit.airflow.metadata import Metadata
    from labkit.stack.state import State

TABLES = (
    "asset_dag_run_queue", "asset_event", "dag_run", "dagrun_asset_event", "log", "rendered_task_instance_fields",
    "task_instance", "task_instance_history", "task_reschedule", "trigger", "xcom",
)  # fmt: skip
"""Where runs, their tasks and asset events leave rows. On a stack at rest nobody writes to them."""


@dataclass(frozen=True)
class Instance:
    """One task instance that began: which task of which Dag, in which run, when, and its state."""

    dag: str
    run: str
    task: str
    state: str
    began: dt.datetime
    ended: dt.datetime | None


def slots(metadata: Metadata, dags: Iterable[str]) -> Counter[str]:
    """Return how many worker slots each Dag takes now. A deferred task takes none."""
    query = """
        SELECT dag_id, count(*) AS slots FROM task_instance
        WHERE state = 'running' AND dag_id = ANY(%s) GROUP BY dag_id
    """
    return Counter({row["dag_id"]: row["slots"] for row in metadata.rows(query, [list(dags)])})


def notes(metadata: Metadata, dags: Iterable[str], since: dt.datetime) -> list[tuple[str, dict[str, Any]]]:
    """Return what tasks noted of their work since a moment: (Dag, note), a note being a table with `began` in it."""
    query = "SELECT dag_id, value FROM xcom WHERE dag_id = ANY(%s) AND timestamp >= %s ORDER BY timestamp"
    return [
        (row["dag_id"], note)
        for row in metadata.rows(query, [list(dags), since])
        for note in (row["value"] if isinstance(row["value"], list) else ())
        if isinstance(note, dict) and "began" in note
    ]


def runs(metadata: Metadata, dag: str, since: dt.datetime) -> int:
    """Return how many runs of a Dag were made since a moment."""
    query = "SELECT count(*) AS runs FROM dag_run WHERE dag_id = %s AND created_at >= %s"
    return int(metadata.rows(query, [dag, since])[0]["runs"])


def unfinished(metadata: Metadata, dag: str) -> list[str]:
    """Return the ids of a Dag's runs that have not ended."""
    query = "SELECT run_id FROM dag_run WHERE dag_id = %s AND state IN ('queued', 'running') ORDER BY id"
    return [row["run_id"] for row in metadata.rows(query, [dag])]


def instances(metadata: Metadata, dag: str, since: dt.datetime) -> list[Instance]:
    """Return the task instances, of runs made since a moment, that began."""
    query = """
        SELECT t.dag_id AS dag, t.run_id AS run, t.task_id AS task, t.state, t.start_date AS began, t.end_date AS ended
        FROM task_instance t JOIN dag_run r ON r.dag_id = t.dag_id AND r.run_id = t.run_id
        WHERE t.dag_id = %s AND r.created_at >= %s AND t.start_date IS NOT NULL ORDER BY t.start_date
    """
    return [Instance(**row) for row in metadata.rows(query, [dag, since])]


class Changes:
    """Counts the rows that are inserted, updated and deleted from now on, by table.

    PostgreSQL's own statistics will not do: each connection hands them in up to 10 s late. Its log of changes is exact;
    it is read by logical decoding, with the built-in plugin `pgoutput`, whose messages begin with what they are and the
    table's number (PostgreSQL's manual, "Logical Replication Message Formats").

    Args:
        state: The stack whose database it is.

    Raises:
        LabError: The database does not answer, or its `wal_level` is not `logical`.
    """

    def __init__(self, state: State) -> None:
        place: dict[str, Any] = dict(state.database)
        self._name = f"lab_{state.id}"
        self._counts: Counter[str] = Counter()
        try:
            self._connection = psycopg2.connect(**place)
            self._connection.autocommit = True
            self._run(f"DROP PUBLICATION IF EXISTS {self._name}")  # of one that was killed
            self._run(f"CREATE PUBLICATION {self._name} FOR TABLE {', '.join(TABLES)}")
            # Temporary: it goes with the connection, and the server keeps no log for it.
            self._run("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', true)", [self._name])
        except psycopg2.Error as error:
            raise LabError("stack.no_database", details=str(error).strip()) from error
        query = "SELECT oid, relname FROM pg_class WHERE relname = ANY(%s)"
        self._tables = {row[0]: row[1] for row in self._run(query, [list(TABLES)])}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(psycopg2.Error), contextlib.closing(self._connection):
            self._run(f"DROP PUBLICATION {self._name}")

    def _run(self, query: str, values: list[object] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall()) if cursor.description else []

    def count(self) -> Counter[str]:
        """Return how many rows were written since the beginning, by table; an update is a row written anew."""
        query = """
            SELECT data FROM pg_logical_slot_get_binary_changes(
                %s, NULL, NULL, 'proto_version', '1', 'publication_names', %s)
        """
        for (data,) in self._run(query, [self._name, self._name]):
            kind, table = struct.unpack_from(">cI", data) if len(data) >= 5 else (b"", 0)
            if kind in {b"I", b"U", b"D"}:
                self._counts[self._tables[table]] += 1
        return Counter(self._counts)
