"""Solution: one event for all the tips of ten seconds, and one task."""

from __future__ import annotations

import json

from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger

# [watcher]
trigger = KafkaBatchTrigger(["tips"], "kafka_tips", gap=10.0)
tips = Asset("tips_given", watchers=[AssetWatcher("tips", trigger=trigger)])
# [/watcher]

with DAG("count_tips", schedule=tips, catchup=False, is_paused_upon_creation=True, tags=["lab-07"]):
    # [count]
    @task
    def count(triggering_asset_events):
        """Return the names of the tips that are counted; each event has a list of them."""
        texts = [text for event in triggering_asset_events[tips] for text in event.extra["payload"]]
        given = [json.loads(text) for text in texts]
        print(f"{sum(tip['coins'] for tip in given)} coins")
        return [tip["tip"] for tip in given]

    count()
    # [/count]
