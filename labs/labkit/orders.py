"""The orders of one source in an experiment: sends them, sees who serves them, counts what became of them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.airflow import queueing
from labkit.brokers import client, shop, sources

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from labkit.airflow.metadata import Metadata
    from labkit.config import Target
    from labkit.stack.state import State


class Orders:
    """What one source sends, and what becomes of it.

    Args:
        state: The stack.
        metadata: The reader of its metadata database.
        target: The source, and who serves what comes from there.
    """

    def __init__(self, state: State, metadata: Metadata, target: Target) -> None:
        self.target = target
        self.source = sources.KINDS[target.broker](state, target.topic, target.group)
        self.sent: list[tuple[str, dt.datetime]] = []  # keys, one for each message
        self._state = state
        self._metadata = metadata
        self._mark = secrets.token_hex(4)

    def begin(self) -> None:
        """Count what comes from now on."""
        self.since = queueing.mark(self._metadata)
        self._buried = self._letters()

    # Sending ------------------------------------------------------------------------------------------------------

    def send(self, number: str) -> None:
        """Send the order of this number."""
        key = f"{self._mark}-{number}"
        self.publish(key, json.dumps({"order_id": key}))

    def publish(self, key: str, text: str) -> None:
        """Send a text, which is counted under a key."""
        self.sent.append((key, self.source.send(text)))

    # Seeing -------------------------------------------------------------------------------------------------------

    @property
    def asset(self) -> int:
        """The id of the asset that is watched for."""
        return queueing.asset_ids(self._metadata, [self.target.asset])[self.target.asset]

    @property
    def owner(self) -> int | None:
        """The triggerer that the database says runs the watcher; None where nobody does."""
        found = [one.triggerer for one in self._metadata.watchers() if one.asset == self.target.asset]
        return found[0] if found else None

    def is_watched(self) -> bool:
        """Tell whether a triggerer runs the watcher, or one of several."""
        return any(one.asset == self.target.asset and one.triggerer for one in self._metadata.watchers())

    def is_left(self) -> bool:
        """Tell whether nobody watches and nobody reads."""
        kafka = self.target.broker == "kafka"  # a group keeps its members for some seconds after they died
        return not self.is_watched() and not (kafka and self.source.has_readers())

    def servings(self) -> list[tuple[str, dt.datetime]]:
        """Return which messages were served, and when."""
        table, keys = self.target.table, f"{self._mark}-"
        if not table:
            told = queueing.returned(self._metadata, self.target.dag, self.since)
            names = [(str(name), at) for value, at in told if isinstance(value, list) for name in value]
            # A learner's trigger may tell a file's whole path.
            return [(Path(name).name, at) for name, at in names if Path(name).name.startswith(keys)]
        there = shop.run(self._state, "SELECT to_regclass(%(table)s) AS there", {"table": table})[1][0]["there"]
        if there is None:
            return []
        query = f"SELECT order_id, served_at FROM {table} WHERE order_id LIKE %(keys)s ORDER BY served_at"  # noqa: S608  checked in `config`
        return [(row["order_id"], row["served_at"]) for row in shop.run(self._state, query, {"keys": f"{keys}%"})[1]]

    def is_served(self, number: str) -> bool:
        """Tell whether the order of this number was served."""
        return any(key == f"{self._mark}-{number}" for key, _ in self.servings())

    def missing(self) -> bool:
        """Tell whether a message was not served."""
        return not {key for key, _ in self.sent} <= {key for key, _ in self.servings()}

    def stranded(self) -> bool:
        """Tell whether an event has no run, and nothing waits that would make it one."""
        return bool(self.counted().left) and not self.is_pending()

    def is_pending(self) -> bool:
        """Tell whether a run waits or is at work."""
        return bool(queueing.pending(self._metadata, [self.target.dag]))

    # Counting -----------------------------------------------------------------------------------------------------

    def counted(self) -> queueing.Counted:
        """Return the events so far and their runs; other Dags' are none of ours."""
        return queueing.count(self._metadata, self.target.dag, [self.target.asset], self.since)

    def events(self) -> int:
        """Return how many events the messages have made so far."""
        return self.counted().events

    def failed(self) -> int:
        """Return how many runs failed."""
        query = "SELECT 1 FROM dag_run WHERE dag_id = %s AND id > %s AND state = 'failed'"
        return len(self._metadata.rows(query, [self.target.dag, self.since.run]))

    def refused(self) -> int:
        """Return how many dead letters there are of it."""
        return self._letters() - self._buried

    def _letters(self) -> int:
        return len(client.letters(self._state.bootstrap, self.target.dead)) if self.target.dead else 0


def delays(sent: Sequence[tuple[str, dt.datetime]], servings: Sequence[tuple[str, dt.datetime]]) -> tuple[float, ...]:
    """Return the seconds from a message's first sending to its first serving, for those that were served."""
    began: dict[str, dt.datetime] = {}
    ended: dict[str, dt.datetime] = {}
    for table, pairs in ((began, sent), (ended, servings)):
        for key, moment in pairs:
            table.setdefault(key, moment)
    return tuple(round((ended[key] - at).total_seconds(), 2) for key, at in began.items() if key in ended)
