"""One change in the shop's database, told in two ways: by a notification, and by a row in an outbox table."""

from __future__ import annotations

from tea_triggers.database import ListenTrigger, OutboxTrigger

from airflow.sdk import DAG, Asset, AssetWatcher, task

WAYS = {"stock_by_notify": ListenTrigger(channel="stock"), "stock_by_outbox": OutboxTrigger()}


def order_more(way, asset):
    """Return the Dag that handles what came that way."""
    with DAG(way, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-04"]) as dag:

        @task
        def items(triggering_asset_events):
            """Return the items that changed."""
            return [row["item"] for event in triggering_asset_events[asset] for row in event.extra["payload"]["rows"]]

        items()
    return dag


for name, trigger in WAYS.items():
    order_more(name, Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)]))
