"""Exercise: this Dag was written for an older release. Bring it to `scheme=`, without changing what it does."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [trigger]
# TODO: no more `queue=`. What is stored for the trigger may stay as it is.
points_given = MessageQueueTrigger(
    queue="kafka://kafka.tea.example:9092/points",
    kafka_config_id="kafka_points",
    apply_function="tea_filters.as_text",
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
