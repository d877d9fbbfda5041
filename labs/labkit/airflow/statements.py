"""Counts the SQL statements that reach the metadata database, by the process that sent them.

PostgreSQL's own counters need the extension `pg_stat_statements`, which the server from the wheel has not. Its log has
every statement (`log_statement = all`), and a session's name is that of the part of the stack that opened it
(`PGAPPNAME`, see `stack.supervisor`). Sessions without a name are those of asyncpg, which does not know that variable:
only the API servers have such.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass, field, fields
from typing import IO, TYPE_CHECKING, Any, Self

import psycopg2

from labkit.errors import LabError
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labkit.stack.state import State

NAMELESS = "api-async"
"""What sessions without a name are counted as."""
OURS = "lab"
"""The name of our own sessions, which are not counted."""

ROUNDS = {
    # `_critical_section_enqueue_task_instances` in `jobs/scheduler_job_runner.py`
    "scheduler": "SELECT pg_try_advisory_xact_lock",
    # `assign_unassigned` in `models/trigger.py`
    "triggerer": "SELECT count(trigger.id)",
    "triggerer-2": "SELECT count(trigger.id)",
}
"""How the statement begins that each round of a part's loop has once (Airflow 3.3.2)."""

_PREFIX = "lab|%a|%p|"
_LINE = re.compile(r"^lab\|(?P<name>[^|]*)\|\d+\|LOG:  (?:statement|execute [^:]*): (?P<text>.*)$")
_TRANSACTION = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "START", "END"})
_WRITE = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_SETTINGS = {
    "log_statement": "all",
    "log_line_prefix": _PREFIX,
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
}


@dataclass
class Count:
    """What one part sent.

    Attributes:
        statements: All but those that only begin or end a transaction.
        writes: The `INSERT`, `UPDATE` and `DELETE` among them.
        transactions: How many transactions ended.
        rounds: How often its loop went round, of those that `ROUNDS` knows. A busy machine makes fewer rounds a second;
            what a round asks is the same.
    """

    statements: int = 0
    writes: int = 0
    transactions: int = 0
    rounds: int = 0

    def __sub__(self, other: Count) -> Count:
        return Count(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))


@dataclass
class Tally:
    """Counts by part, of log lines that are given to it."""

    counts: dict[str, Count] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Count one line of the server's log; lines that begin no statement count for nothing."""
        found = _LINE.match(line)
        if found is None or found["name"] == OURS:
            return
        verb = found["text"].split(maxsplit=1)[0].rstrip(";").upper() if found["text"].strip() else ""
        count = self.counts.setdefault(found["name"] or NAMELESS, Count())
        if verb in _TRANSACTION:
            # `ROLLBACK TO SAVEPOINT` ends none.
            count.transactions += verb in {"COMMIT", "ROLLBACK", "END"} and " TO " not in found["text"].upper()
            return
        count.statements += 1
        count.writes += verb in _WRITE
        count.rounds += found["text"].startswith(ROUNDS.get(found["name"], "\0"))


class Statements:
    """Has PostgreSQL log every statement, and counts them, for as long as the block runs.

    Args:
        state: The stack whose database it is.

    Raises:
        LabError: The database does not answer, or what it logs does not come into its file.
    """

    _question = "SELECT 'what was said before this is in the log'"

    def __init__(self, state: State) -> None:
        self._place: dict[str, Any] = {**dict(state.database), "application_name": OURS}
        self._file: Path = state.folder / "log" / "postgres.log"
        self._open: IO[str] = io.StringIO()
        self._inode = 0
        self._rest = ""
        self._tally = Tally()

    def __enter__(self) -> Self:
        self._open = self._file.open(encoding="utf-8", errors="replace")
        self._open.seek(0, 2)
        self._inode = self._file.stat().st_ino
        with contextlib.ExitStack() as opening:
            opening.push(self)  # where it does not come to the end, the server is not left to log everything
            self._set(_SETTINGS)
            # The settings reach a session with its next statement; the log tells that they are in force.
            self._wait_for(self._told, 10)
            opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(LabError):
            self._set(dict.fromkeys(_SETTINGS))
        self._open.close()

    def _wait_for(self, word: Callable[[], bool], seconds: float) -> None:
        """Wait until the log has a word of ours.

        Raises:
            LabError: It has not got it in time.
        """
        try:
            until(word, seconds=seconds, pause=0.05)
        except TimeoutError as error:
            raise LabError("postgres.silent", file=self._file, seconds=f"{seconds:.0f}") from error

    def _told(self) -> bool:
        self._mark()
        return any(f"|LOG:  statement: {self._question}" in line for line in self._lines())

    def _mark(self) -> None:
        """Say something that comes after all that was said before: the log is one pipe."""
        try:
            with contextlib.closing(psycopg2.connect(**self._place)) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(self._question)
        except psycopg2.Error as error:
            raise LabError("stack.no_database", details=str(error).strip()) from error

    def _set(self, settings: dict[str, Any]) -> None:
        try:
            with contextlib.closing(psycopg2.connect(**self._place)) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    for name, value in settings.items():
                        if value is None:
                            cursor.execute(f"ALTER SYSTEM RESET {name}")
                        else:
                            cursor.execute(f"ALTER SYSTEM SET {name} = %s", [value])
                    cursor.execute("SELECT pg_reload_conf()")
        except psycopg2.Error as error:
            raise LabError("stack.no_database", details=str(error).strip()) from error

    def _lines(self) -> list[str]:
        """Return the whole lines that have been written since the last call, across a change of files."""
        text = self._rest + self._open.read()
        with contextlib.suppress(FileNotFoundError):
            inode = self._file.stat().st_ino
            if inode != self._inode:  # supervisord has begun a new file
                text += self._open.read()
                self._open.close()
                self._open = self._file.open(encoding="utf-8", errors="replace")
                self._inode = inode
                text += self._open.read()
        *lines, self._rest = text.split("\n")
        return lines

    def look(self) -> None:
        """Read what has been logged so far; to be called more often than the log fills two files."""
        for line in self._lines():
            self._tally.add(line)

    def count(self) -> dict[str, Count]:
        """Return what each part has sent since the block began, all statements until now included."""
        mark = f"|LOG:  statement: {self._question}"
        self._mark()

        def read() -> bool:
            lines = self._lines()
            for line in lines:
                self._tally.add(line)
            return any(mark in line for line in lines)

        self._wait_for(read, 30)
        return {name: Count(**vars(count)) for name, count in self._tally.counts.items()}
