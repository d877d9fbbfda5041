"""One till: each order is an event, each event a run, each run a task. What does that cost?"""

from __future__ import annotations

import json

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [till]
trigger = KafkaSharedStreamTrigger(topics=["till"], kafka_config_id="kafka_till", poll_timeout=0.05)
till = Asset("till_orders", watchers=[AssetWatcher("till", trigger=trigger)])

with DAG(
    "ring_up",
    schedule=till,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-07"],
):

    @task
    def ring(triggering_asset_events):
        """Return the cups that were rung up."""
        events = triggering_asset_events[till]
        return [json.loads(event.extra["payload"])["cups"] for event in events]

    ring()
# [/till]
