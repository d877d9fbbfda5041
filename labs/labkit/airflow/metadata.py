"""Reads Airflow's metadata database: the truth that `status`, `events`, `verify` and the notebooks show.

It only reads. Table and column names are those of Airflow 3.3.2 (`airflow/models/asset.py`, `trigger.py`,
`dagrun.py`, `taskinstance.py`); what another release changes is to be changed here.
"""

from __future__ import annotations

import contextlib
import datetime as dt  # noqa: TC003  dataclass fields are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import psycopg2
import psycopg2.errors
import psycopg2.extras
import psycopg2.sql

from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labkit.stack.state import State


def ready(state: State) -> bool:
    """Tell whether the database server answers; makes Airflow's database where it is missing."""
    place: dict[str, Any] = dict(state.database)
    try:
        psycopg2.connect(**place).close()
    except psycopg2.OperationalError as error:
        if "does not exist" not in str(error) or "No such file" in str(error):
            return False
        make_database(state, "airflow")
    return True


def make_database(state: State, name: str) -> None:
    """Make an empty database in the stack's server; one that is there already is left alone."""
    with _server(dict(state.database), "template1") as cursor, contextlib.suppress(psycopg2.errors.DuplicateDatabase):
        cursor.execute(psycopg2.sql.SQL("CREATE DATABASE {}").format(psycopg2.sql.Identifier(name)))


def slim(state: State) -> None:
    """Drop the databases that nobody here uses: half of the files that each start would copy."""
    with _server(dict(state.database), "airflow") as cursor:
        cursor.execute("DROP DATABASE postgres")
        cursor.execute("ALTER DATABASE template0 IS_TEMPLATE false")
        cursor.execute("DROP DATABASE template0")


@contextlib.contextmanager
def _server(place: dict[str, Any], database: str) -> Iterator[Any]:
    """Yield a cursor for commands that no transaction may hold."""
    with contextlib.closing(psycopg2.connect(**{**place, "dbname": database})) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@dataclass(frozen=True)
class Watcher:
    """A row of `asset_watcher` with what it joins.

    `triggerer` is the job that runs the trigger, None as long as none does.
    """

    asset: str
    name: str
    trigger: int
    classpath: str
    triggerer: int | None


@dataclass(frozen=True)
class Job:
    """A long-running process of Airflow's as the database knows it: its number, its begin, its heartbeat's age."""

    id: int
    began: dt.datetime
    age: dt.timedelta


@dataclass(frozen=True)
class Waiting:
    """A trigger that no living triggerer runs.

    Attributes:
        trigger: Its row.
        names: The watched assets, or the deferred task with its Dag. Watchers with equal triggers share one.
        watcher: Whether it is a watcher's.
        age: How long the row has been there.
    """

    trigger: int
    names: tuple[str, ...]
    watcher: bool
    age: dt.timedelta


@dataclass(frozen=True)
class ImportFailure:
    """A Dag file that Airflow could not load: which, the reason in one line, where in the file, when."""

    bundle: str
    file: str
    reason: str
    line: int | None
    at: dt.datetime | None = None


@dataclass(frozen=True)
class EventRow:
    """An asset event and what it caused. The run's columns are None as long as there is no run."""

    event: int
    asset: str
    payload: Any
    at: dt.datetime
    dag: str | None
    run: str | None
    run_state: str | None
    run_created: dt.datetime | None
    run_ended: dt.datetime | None
    extra: dict[str, Any] | None = None
    """All that the event carries. A pushed event has no payload, only what its sender put here."""


class Metadata:
    """One connection to the metadata database, opened when first used.

    Args:
        state: The stack whose database it is.
    """

    def __init__(self, state: State) -> None:
        self._place: dict[str, Any] = dict(state.database)
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg2.connect(**self._place)
                # Each question sees what is committed now, and none holds a snapshot open.
                self._connection.set_session(readonly=True, autocommit=True)
            with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self.close()
            raise LabError("stack.no_database", details=str(error).strip()) from error

    def rows(self, query: str, values: Mapping[str, object] | Sequence[object] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a question in SQL, placeholders as psycopg2 has them.

        Raises:
            LabError: The database does not answer.
        """
        return self.table(query, values)[1]

    def table(
        self, query: str, values: Mapping[str, object] | Sequence[object] | None = None
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Return columns and rows of a question in SQL; an answer without rows has its columns all the same."""
        with self._cursor() as cursor:
            cursor.execute(query, values)
            return [column.name for column in cursor.description], [dict(row) for row in cursor.fetchall()]

    def heartbeats(self) -> dict[str, dt.timedelta]:
        """Return the age of the newest heartbeat, by job type: `SchedulerJob`, `TriggererJob`, `DagProcessorJob`."""
        query = """
            SELECT DISTINCT ON (job_type) job_type, now() - latest_heartbeat AS age
            FROM job WHERE state = 'running' ORDER BY job_type, latest_heartbeat DESC
        """
        return {row["job_type"]: row["age"] for row in self.rows(query)}

    def jobs(self) -> dict[tuple[str, str], Job]:
        """Return the newest job of each type on each host; the host without its domain."""
        query = """
            SELECT DISTINCT ON (kind, host) kind, host, id, began, age FROM (
                SELECT job_type AS kind, split_part(hostname, '.', 1) AS host, id, start_date AS began,
                       now() - latest_heartbeat AS age
                FROM job WHERE state = 'running'
            ) running ORDER BY kind, host, began DESC
        """
        return {(row["kind"], row["host"]): Job(row["id"], row["began"], row["age"]) for row in self.rows(query)}

    def triggerers(self) -> list[int]:
        """Return the ids of the triggerers that Airflow counts on: they run, and their heartbeat is not old."""
        query = """
            SELECT id FROM job WHERE job_type = 'TriggererJob' AND state = 'running'
            AND latest_heartbeat > now() - interval '30 seconds' ORDER BY id
        """
        return [row["id"] for row in self.rows(query)]

    def triggerers_began(self) -> dict[int, dt.datetime]:
        """Return when the triggerers began that have not signed off: a dead one is among them until it is given up."""
        query = "SELECT id, start_date FROM job WHERE job_type = 'TriggererJob' AND end_date IS NULL ORDER BY id"
        return {row["id"]: row["start_date"] for row in self.rows(query)}

    def waiting(self) -> list[Waiting]:
        """Return the triggers that no living triggerer runs, oldest first.

        A triggerer that has room takes them within a second or two; see `assign_unassigned` in `models/trigger.py`.
        """
        query = """
            SELECT t.id AS trigger, coalesce(a.name, i.dag_id || '.' || i.task_id) AS name,
                   a.name IS NOT NULL AS watcher, now() - t.created_date AS age
            FROM trigger t
            LEFT JOIN asset_watcher w ON w.trigger_id = t.id LEFT JOIN asset a ON a.id = w.asset_id
            LEFT JOIN task_instance i ON i.trigger_id = t.id AND i.state = 'deferred'
            WHERE (a.id IS NOT NULL OR i.id IS NOT NULL)
              AND (t.triggerer_id IS NULL OR NOT t.triggerer_id = ANY(%s))
            ORDER BY t.created_date, t.id, name
        """
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self.rows(query, [self.triggerers()]):  # one for each watcher of a trigger
            found.setdefault(row["trigger"], []).append(row)
        return [
            Waiting(trigger, tuple(dict.fromkeys(row["name"] for row in rows)), rows[0]["watcher"], rows[0]["age"])
            for trigger, rows in found.items()
        ]

    def watchers(self) -> list[Watcher]:
        """Return all watchers with their triggers."""
        query = """
            SELECT a.name AS asset, w.name, t.id AS trigger, t.classpath, t.triggerer_id AS triggerer
            FROM asset_watcher w JOIN asset a ON a.id = w.asset_id JOIN trigger t ON t.id = w.trigger_id
            ORDER BY a.name, w.name, t.id
        """
        return [Watcher(**row) for row in self.rows(query)]

    def watcher_arguments(self, dag: str, asset: str) -> list[dict[str, Any]]:
        """Return what the watchers of an asset were given, as the Dag's file says: their triggers' arguments.

        The table `trigger` has them as ciphertext; the serialized Dag has them open (`encode_trigger` in
        `airflow/serialization/encoders.py`).
        """
        query = """
            SELECT jsonb_path_query(found, '$.watchers[*].trigger.kwargs') AS arguments
            FROM (
                SELECT data FROM serialized_dag WHERE dag_id = %s ORDER BY created_at DESC LIMIT 1
            ) newest, jsonb_path_query(newest.data::jsonb, 'strict $.** ? (exists(@.watchers))') found
            WHERE found ->> 'name' = %s
        """
        return [row["arguments"] for row in self.rows(query, [dag, asset])]

    def scheduling_assets(self, bundles: Sequence[str]) -> set[str]:
        """Return the names of the assets that Dags of these bundles are scheduled on."""
        query = """
            SELECT DISTINCT a.name FROM asset a
            JOIN dag_schedule_asset_reference link ON link.asset_id = a.id
            JOIN dag d ON d.dag_id = link.dag_id
            WHERE d.bundle_name = ANY(%s) AND NOT d.is_stale
        """
        return {row["name"] for row in self.rows(query, [list(bundles)])}

    def import_failures(self) -> list[ImportFailure]:
        """Return the Dag files that Airflow could not load."""
        query = "SELECT bundle_name, filename, stacktrace, timestamp FROM import_error ORDER BY bundle_name, filename"
        return [
            ImportFailure(
                row["bundle_name"],
                row["filename"],
                *reason_and_line(row["stacktrace"], row["filename"]),
                row["timestamp"],
            )
            for row in self.rows(query)
        ]

    def now(self) -> dt.datetime:
        """Return the database's time."""
        return cast("dt.datetime", self.rows("SELECT now() AS now")[0]["now"])

    def parsed(self, since: dt.datetime) -> set[tuple[str, str]]:
        """Return the Dag files that were parsed since a time, with success or without: bundle and file."""
        query = """
            SELECT bundle_name, relative_fileloc AS file FROM dag WHERE last_parsed_time > %(since)s
            UNION SELECT bundle_name, filename FROM import_error WHERE timestamp > %(since)s
        """
        return {(row["bundle_name"], row["file"]) for row in self.rows(query, {"since": since})}

    def dags(self) -> dict[str, dict[str, Any]]:
        """Return the Dags that Airflow knows and has files for: id → `is_paused`, `last_parsed_time` and so on."""
        query = """
            SELECT dag_id, is_paused, last_parsed_time, relative_fileloc, bundle_name FROM dag WHERE NOT is_stale
        """
        return {row.pop("dag_id"): row for row in self.rows(query)}

    def events(self, limit: int = 10) -> list[EventRow]:
        """Return the newest asset events with the runs that they caused, newest first."""
        query = """
            SELECT e.id AS event, a.name AS asset, e.extra::jsonb -> 'payload' AS payload, e.timestamp AS at,
                   r.dag_id AS dag, r.run_id AS run, r.state AS run_state, r.created_at AS run_created,
                   r.end_date AS run_ended, e.extra::jsonb AS extra
            FROM asset_event e JOIN asset a ON a.id = e.asset_id
            LEFT JOIN dagrun_asset_event link ON link.event_id = e.id
            LEFT JOIN dag_run r ON r.id = link.dag_run_id
            ORDER BY e.id DESC, r.id DESC LIMIT %s
        """
        return [EventRow(**row) for row in self.rows(query, [limit])]

    def succeeded_runs(self, dag: str) -> list[dict[str, Any]]:
        """Return the runs of a Dag that events caused and that succeeded, with the payloads that they consumed."""
        query = """
            SELECT r.run_id, array_agg(e.extra::jsonb -> 'payload' ORDER BY e.id) AS payloads
            FROM dag_run r JOIN dagrun_asset_event link ON link.dag_run_id = r.id
            JOIN asset_event e ON e.id = link.event_id
            WHERE r.dag_id = %s AND r.state = 'success' AND r.run_type = 'asset_triggered'
            GROUP BY r.id ORDER BY r.id
        """
        return self.rows(query, [dag])

    def succeeded_payloads(self, dag: str) -> list[Any]:
        """Return the payloads that runs of a Dag succeeded on."""
        return [payload for run in self.succeeded_runs(dag) for payload in run["payloads"]]


def reason_and_line(stacktrace: str, filename: str) -> tuple[str, int | None]:
    """Return the last line of a stack trace, and the last line number in the file that is looked at."""
    lines = [line.strip() for line in stacktrace.strip().splitlines() if line.strip()]
    place = None
    for line in lines:
        if line.startswith("File ") and filename in line and ", line " in line:
            digits = line.rpartition(", line ")[2].split(",")[0]
            place = int(digits) if digits.isdigit() else place
    return (lines[-1] if lines else ""), place
