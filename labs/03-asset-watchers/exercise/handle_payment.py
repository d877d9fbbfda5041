"""Exercise: let a message on the Kafka topic `payments` start this Dag.

The Dag and its task are done. What is missing is the watcher: without one, nothing looks at the topic,
and the messages wait there unread. The connection `kafka_payments` is ready for you.
"""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger  # noqa: F401  you will need it
from airflow.sdk import DAG, Asset, AssetWatcher, task  # noqa: F401

# [asset]
# TODO: write the trigger for the topic `payments`, and hang it on the asset
# with an AssetWatcher.
payments = Asset(name="payments")
# [/asset]

with DAG(dag_id="handle_payment", schedule=payments, catchup=False, tags=["lab-03", "exercise"]):

    @task
    def settle(triggering_asset_events):
        """Return the order ids whose payments arrived."""
        return [json.loads(event.extra["payload"])["order_id"] for event in triggering_asset_events[payments]]

    settle()
