"""One Dag a way of taking messages: what `./lab chaos` does its worst to."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.amazon.aws.hooks.sqs import SqsHook
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger
from tea_delivery import ledger
from tea_delivery.stream import MarkedStream, OrderStream

FOLDER = Path(__file__).parents[3] / "work" / "06-delivery-and-collapse" / "dial"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/{}"


def sqs(queue: str, *, delete: bool) -> MessageQueueTrigger:
    """Return a trigger for a queue; what it does not delete comes again after 20 seconds."""
    return MessageQueueTrigger(
        scheme="sqs",
        sqs_queue=QUEUE.format(queue),
        aws_conn_id="delivery_aws",
        waiter_delay=1,
        visibility_timeout=20,
        delete_message_on_reception=delete,
    )


WAYS = {
    "dial_kafka": MessageQueueTrigger(
        scheme="kafka", topics=["dial-kafka"], kafka_config_id="kafka_dial_kafka", poll_timeout=0.05
    ),
    "dial_shared": MarkedStream(
        topics=["dial-shared"],
        kafka_config_id="kafka_dial_shared",
        poll_timeout=0.05,
        seen=str(FOLDER / "dial_shared.seen"),
    ),
    "dial_batch": KafkaBatchTrigger(topics=["dial-batch"], kafka_config_id="kafka_dial_batch"),
    "dial_once": OrderStream(
        topics=["dial-once"],
        kafka_config_id="kafka_dial_once",
        poll_timeout=0.05,
        dead_letters="dial-once-dead",
        seen=str(FOLDER / "dial_once.seen"),
    ),
    "dial_sqs": sqs("dial-sqs", delete=True),
    "dial_sqs_keep": sqs("dial-sqs-keep", delete=False),
    "dial_redis": MessageQueueTrigger(
        scheme="redis+pubsub", channels=["dial-redis"], redis_conn_id="delivery_redis", poll_interval=0.1
    ),
    "dial_file": FileDeleteTrigger(filepath=str(FOLDER / "order.json"), poke_interval=0.5),
}


@task
def note(triggering_asset_events, dag):
    """Write down the orders; what came from SQS and is still there is deleted afterwards."""
    payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
    orders = [order for payload in payloads for order in ledger.orders_in(payload)]
    write = ledger.write_once if dag.dag_id == "dial_once" else ledger.write
    write(dag.dag_id, orders)
    if dag.dag_id == "dial_sqs_keep":
        client = SqsHook(aws_conn_id="delivery_aws").get_conn()
        for message in (message for payload in payloads for message in payload["message_batch"]):
            client.delete_message(QueueUrl=QUEUE.format("dial-sqs-keep"), ReceiptHandle=message["ReceiptHandle"])


for name, trigger in WAYS.items():
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-06"]):
        note()
