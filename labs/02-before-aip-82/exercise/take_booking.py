"""Exercise: let a watcher do the waiting.

A table is booked by a message on the Kafka topic `bookings`. This Dag takes bookings in the old way: it runs all the
time, and its first task waits. Turn it into a Dag named `handle_booking` that runs when there is a booking, and only
then. The connection `kafka_bookings` stays.
"""

from __future__ import annotations

import json  # noqa: F401  you will need these three
from datetime import UTC, datetime

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger  # noqa: F401
from airflow.sdk import DAG, Asset, AssetWatcher, task  # noqa: F401
from order_sensor import OrderSensor

# [dag]
# TODO: an asset `bookings` with a watcher on the topic `bookings`; a Dag `handle_booking` scheduled on the asset.
with DAG(
    dag_id="wait_for_booking",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "exercise"],
):
    sensor = OrderSensor(
        task_id="wait_for_booking",
        topic="bookings",
        kafka_config_id="kafka_bookings",
        most=1,
    )

    @task
    def seat(bookings):
        """Return which tables are taken now."""
        return [booking["table"] for booking in bookings]

    seat(sensor.output)
# [/dag]
