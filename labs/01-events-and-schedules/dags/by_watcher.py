"""The triggerer looks into the box of slips. This Dag has a run when there is a slip, and not otherwise."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [asset]
slips = Asset(
    name="slips",
    watchers=[
        AssetWatcher(
            name="slips_on_kafka",
            trigger=MessageQueueTrigger(
                scheme="kafka",
                topics=["slips"],
                kafka_config_id="kafka_slips_watcher",
                poll_timeout=0.05,
            ),
        )
    ],
)
# [/asset]

# [dag]
with DAG(
    dag_id="slips_by_watcher",
    schedule=slips,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-01"],
):

    @task
    def handle(triggering_asset_events):
        """Return the slips that caused this run."""
        return [json.loads(event.extra["payload"]) for event in triggering_asset_events[slips]]

    handle()
# [/dag]
