"""A file that is created in the bucket `menus` becomes a run of this Dag; a file that lies there does not."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_triggers.s3 import NewObjectTrigger

# [asset]
uploads = Asset(
    "uploads",
    watchers=[AssetWatcher(name="uploads_on_s3", trigger=NewObjectTrigger(bucket="menus"))],
)
# [/asset]

with DAG("handle_upload", schedule=uploads, catchup=False, is_paused_upon_creation=True, tags=["lab-04"]):

    @task
    def publish_menu(triggering_asset_events):
        """Return the keys that are new."""
        return [key for event in triggering_asset_events[uploads] for key in event.extra["payload"]["keys"]]

    publish_menu()
