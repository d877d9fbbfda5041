"""Solution: a message on the Kafka topic `bookings` starts this Dag, and nothing waits in a worker."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [dag]
booking_arrived = MessageQueueTrigger(
    scheme="kafka",
    topics=["bookings"],
    kafka_config_id="kafka_bookings",
    poll_timeout=0.05,
)
bookings = Asset("bookings", watchers=[AssetWatcher(name="bookings_on_kafka", trigger=booking_arrived)])

with DAG(dag_id="handle_booking", schedule=bookings, catchup=False, tags=["lab-02", "exercise"]):

    @task
    def seat(triggering_asset_events):
        """Return which tables are taken now."""
        return [json.loads(event.extra["payload"])["table"] for event in triggering_asset_events[bookings]]

    seat()
# [/dag]
