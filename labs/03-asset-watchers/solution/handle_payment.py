"""Solution: a message on the Kafka topic `payments` starts this Dag."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [asset]
payment_arrived = MessageQueueTrigger(
    scheme="kafka",
    topics=["payments"],
    kafka_config_id="kafka_payments",
    poll_timeout=0.05,
)
payments = Asset(
    name="payments",
    watchers=[AssetWatcher(name="payments_on_kafka", trigger=payment_arrived)],
)
# [/asset]

with DAG(dag_id="handle_payment", schedule=payments, catchup=False, tags=["lab-03", "exercise"]):

    @task
    def settle(triggering_asset_events):
        """Return the order ids whose payments arrived."""
        return [json.loads(event.extra["payload"])["order_id"] for event in triggering_asset_events[payments]]

    settle()
