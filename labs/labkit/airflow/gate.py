"""Stops an asset event on its way into the metadata database: the moment at which it matters who dies.

What a trigger yields travels from its process to the triggerer's, which writes it (`Trigger.submit_event` in
`airflow/models/trigger.py`). Whoever shuts the table `asset_event` to writers keeps it there: received from the broker,
known to nobody but the triggerer. Readers, the scheduler among them, go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import psycopg2

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.stack.state import State

PATIENCE = 10
"""Seconds to wait for those who are writing as the gate is shut."""


class Gate:
    """Shuts `asset_event` to writers for as long as the block runs.

    Args:
        state: The stack whose database it is.
        asset: The id of the asset whose events `waiting` and `cut` are about; those of all where it is not given. The
            gate itself lets nobody through.

    Raises:
        LabError: The database does not answer, or somebody keeps writing.
    """

    def __init__(self, state: State, asset: int | None = None) -> None:
        self._place: dict[str, Any] = dict(state.database)
        # psycopg2 puts the values into the statement, and `asset_id` is the first column of Airflow's.
        whose = "" if asset is None else f" (asset_id,%VALUES ({asset},"
        self._query = f"%INSERT INTO asset_event{whose}%"

    def __enter__(self) -> Self:
        try:
            self._lock = psycopg2.connect(**self._place)
            self._look = psycopg2.connect(**self._place)
            self._look.autocommit = True
            with self._lock.cursor() as cursor:
                cursor.execute("SET lock_timeout = %s", [f"{PATIENCE}s"])
                cursor.execute("LOCK TABLE asset_event IN SHARE MODE")
        except psycopg2.Error as error:
            raise LabError("stack.no_database", details=str(error).strip()) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._look.close()

    def open(self) -> None:
        """Let all through; harmless where it is open."""
        self._lock.close()

    def waiting(self) -> list[int]:
        """Return the database's processes that wait to write."""
        with self._look.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid)) AND query ILIKE %s",
                [self._lock.info.backend_pid, self._query],
            )
            return [row[0] for row in cursor.fetchall()]

    def cut(self) -> None:
        """End the connections of those that wait, as a database does that fails over."""
        with self._look.cursor() as cursor:
            for pid in self.waiting():
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
