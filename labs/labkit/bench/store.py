"""A stand-in for the `asset_state_store` that the triggerer gives to a watcher's trigger: in memory, for one bench.

The same methods as Airflow 3.3.2's `airflow.sdk.execution_time.context.AssetStateStoreAccessors`, which asks the
triggerer's parent process for each call. What is written stays when `run()` starts again, as in the database.
"""

from __future__ import annotations

import json
from typing import Any


class StateStore:
    """What one asset's watchers remember."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __getitem__(self, asset: object) -> StateStore:
        """The store of an asset; there is one asset here."""
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """Return the stored value, or `default`."""
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        """Store a value.

        Raises:
            ValueError: It is None, which the real store refuses as well.
            TypeError: It is not JSON.
        """
        if value is None:
            raise ValueError("Cannot set value as None")
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Forget a key; nothing happens if it is not there."""
        self.values.pop(key, None)

    def clear(self) -> None:
        """Forget all keys."""
        self.values.clear()

    async def aget(self, key: str, default: Any = None) -> Any:
        """Like `get`, without blocking."""
        return self.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        """Like `set`, without blocking."""
        self.set(key, value)

    async def adelete(self, key: str) -> None:
        """Like `delete`, without blocking."""
        self.delete(key)

    async def aclear(self) -> None:
        """Like `clear`, without blocking."""
        self.clear()
