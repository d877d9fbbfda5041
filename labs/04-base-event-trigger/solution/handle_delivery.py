"""A delivery note that comes into the folder `deliveries`, beside this file, becomes a run of this Dag."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Asset, AssetWatcher, task
from delivery_notes import DeliveryTrigger

FOLDER = Path(__file__).with_name("deliveries")

deliveries = Asset(
    "deliveries",
    watchers=[AssetWatcher(name="deliveries_in_folder", trigger=DeliveryTrigger(str(FOLDER)))],
)

with DAG("handle_delivery", schedule=deliveries, catchup=False, is_paused_upon_creation=True, tags=["lab-04"]):

    @task
    def unpack(triggering_asset_events):
        """Return the names of the notes that came."""
        return [name for event in triggering_asset_events[deliveries] for name in event.extra["payload"]["files"]]

    unpack()
