"""What a trigger has seen, kept in Airflow's `asset_state_store`: it outlives the trigger, and the triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger

KEY = "seen"


# [memory]
async def recall(trigger: BaseEventTrigger) -> dict[str, str]:
    """Return what was seen before, by name; nothing the first time.

    The triggerer hangs the store on the trigger before it calls `run()`. Anywhere else there is none.
    """
    if trigger.asset_state_store is None:
        return {}
    return dict(await trigger.asset_state_store.aget(KEY, {}))


async def remember(trigger: BaseEventTrigger, seen: dict[str, str]) -> None:
    """Keep what was seen. The awaiting twin of `set()`: that one would block every trigger."""
    if trigger.asset_state_store is not None:
        await trigger.asset_state_store.aset(KEY, seen)

    # [/memory]
