"""One change in the shop's database, told in two ways: by a notification, and by a row in an outbox table."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_triggers.database import ListenTrigger, OutboxTrigger

WAYS = {"stock_by_notify": ListenTrigger(channel="stock"), "stock_by_outbox": OutboxTrigger()}


@task
def items(triggering_asset_events):
    """Return the items that changed."""
    changes = [event.extra["payload"]["rows"] for events in triggering_asset_events.values() for event in events]
    return [row["item"] for rows in changes for row in rows]


for name, trigger in WAYS.items():
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-04"]):
        items()
