"""A message on the Kafka topic `orders` becomes a run of this Dag. No schedule, no sensor, no waiting task."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

# [trigger]
order_arrived = MessageQueueTrigger(
    scheme="kafka",
    topics=["orders"],
    kafka_config_id="kafka_orders",
    poll_timeout=0.05,
)
# [/trigger]

# [asset]
orders = Asset(
    name="orders",
    watchers=[AssetWatcher(name="orders_on_kafka", trigger=order_arrived)],
)
# [/asset]

# [dag]
with DAG(dag_id="handle_order", schedule=orders, catchup=False, tags=["lab-03"]):

    @task
    def handle(triggering_asset_events):
        """Read what arrived: an asset event a message, the message as payload."""
        handled = []
        for event in triggering_asset_events[orders]:
            order = json.loads(event.extra["payload"])
            print(f"order {order['order_id']}: {order['cups']} x {order['drink']}")
            handled.append(order["order_id"])
        return handled

    handle()
# [/dag]
