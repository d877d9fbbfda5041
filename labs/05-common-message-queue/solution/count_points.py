"""Solution: the same trigger by `scheme=`. The host of the old address was never used; the connection has it."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [trigger]
points_given = MessageQueueTrigger(
    scheme="kafka",
    topics=["points"],
    kafka_config_id="kafka_points",
    poll_timeout=0.05,
)
# [/trigger]

points = Asset("points", watchers=[AssetWatcher(name="points_on_kafka", trigger=points_given)])

with DAG("count_points", schedule=points, catchup=False, tags=["lab-05", "exercise"]):

    @task
    def count(triggering_asset_events):
        """Return the sum of the points that were given."""
        return sum(json.loads(event.extra["payload"])["points"] for event in triggering_asset_events[points])

    count()
