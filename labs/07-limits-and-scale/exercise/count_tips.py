"""Exercise: count the tips. A tip is a JSON object on the topic `tips`: `{"tip": "A-1", "coins": 5}`.

It works, and it is dear. However you make it cheaper, some task returns the names of the tips that are counted: the
check looks for them.
"""

from __future__ import annotations

import json

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [watcher]
# TODO: an event for each tip, so a run for each, and three tasks in each run.
trigger = KafkaSharedStreamTrigger(topics=["tips"], kafka_config_id="kafka_tips", poll_timeout=0.05)
tips = Asset("tips_given", watchers=[AssetWatcher("tips", trigger=trigger)])
# [/watcher]

with DAG("count_tips", schedule=tips, catchup=False, is_paused_upon_creation=True, tags=["lab-07"]):
    # [count]
    @task
    def read(triggering_asset_events):
        """Return the tips that this run was given."""
        return [json.loads(event.extra["payload"]) for event in triggering_asset_events[tips]]

    @task
    def add(given):
        """Return how many coins that makes."""
        return sum(tip["coins"] for tip in given)

    @task
    def book(given, coins):
        """Return the names of the tips that are counted."""
        print(f"{coins} coins")
        return [tip["tip"] for tip in given]

    given = read()
    book(given, add(given))
    # [/count]
