"""A Dag that takes orders, whichever way they come. It is done; the adapter beside it is yours to write."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from order_adapter import orders_in

triggers = {
    "takeaway_kafka": MessageQueueTrigger(
        scheme="kafka", topics=["takeaway"], kafka_config_id="kafka_takeaway", poll_timeout=0.05
    ),
    "takeaway_sqs": MessageQueueTrigger(
        scheme="sqs",
        sqs_queue="https://sqs.us-east-1.amazonaws.com/123456789012/takeaway",
        aws_conn_id="tea_aws",
        waiter_delay=1,
    ),
    "takeaway_redis": MessageQueueTrigger(
        scheme="redis+pubsub", channels=["takeaway"], redis_conn_id="tea_redis", poll_interval=0.2
    ),
    "takeaway_file": FileDeleteTrigger(filepath=str(Path(__file__).with_name("takeaway_bell")), poke_interval=1),
}
kafka, sqs, redis, file = (
    Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)]) for name, trigger in triggers.items()
)

# [dag]
with DAG(
    "take_order",
    schedule=kafka | sqs | redis | file,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-05", "exercise"],
):

    @task
    def take(triggering_asset_events):
        """Return the numbers of the orders that came."""
        events = [event for group in triggering_asset_events.values() for event in group]
        return [order["order_id"] for event in events for order in orders_in(event.extra["payload"])]

    take()
# [/dag]
