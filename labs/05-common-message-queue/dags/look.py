"""One shape of Dag for four sources: three brokers behind `MessageQueueTrigger`, and a file as the doorbell."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

LAB = Path(__file__).parents[1]
BELL = LAB.parents[1] / "work" / LAB.name / "bell"

# [triggers]
on_kafka = MessageQueueTrigger(
    scheme="kafka",
    topics=["counter_orders"],
    kafka_config_id="kafka_counter",
    poll_timeout=0.05,
)
on_sqs = MessageQueueTrigger(
    scheme="sqs",
    sqs_queue="https://sqs.us-east-1.amazonaws.com/123456789012/delivery_orders",
    aws_conn_id="tea_aws",
    waiter_delay=1,
)
on_redis = MessageQueueTrigger(
    scheme="redis+pubsub",
    channels=["kiosk_orders"],
    redis_conn_id="tea_redis",
    poll_interval=0.2,
)
# [/triggers]

on_file = FileDeleteTrigger(filepath=str(BELL), poke_interval=1)

# [assets]
counter = Asset("counter_orders", watchers=[AssetWatcher(name="counter", trigger=on_kafka)])
delivery = Asset("delivery_orders", watchers=[AssetWatcher(name="delivery", trigger=on_sqs)])
kiosk = Asset("kiosk_orders", watchers=[AssetWatcher(name="kiosk", trigger=on_redis)])
bell = Asset("bell_rings", watchers=[AssetWatcher(name="bell", trigger=on_file)])
# [/assets]


# [dag]
@task
def show(triggering_asset_events):
    """Return the kind of each payload and what it is."""
    events = [event for group in triggering_asset_events.values() for event in group]
    return [(type(event.extra["payload"]).__name__, event.extra["payload"]) for event in events]


for asset in (counter, delivery, kiosk, bell):
    name = f"look_{asset.watchers[0].name}"
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-05"]):
        show()
# [/dag]
