"""More ways of taking messages for `./lab chaos`, which does its worst to them: one Dag each, all of them plain."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from airflow.providers.amazon.aws.hooks.sqs import SqsHook
from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

FOLDER = Path(__file__).parents[3] / "work" / "06-delivery-and-collapse" / "dial"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/{}"


def sqs(queue, *, delete):
    """Return a trigger for a queue of SQS; what it does not delete can be taken again after 20 seconds."""
    return MessageQueueTrigger(
        scheme="sqs",
        sqs_queue=QUEUE.format(queue),
        aws_conn_id="delivery_aws",
        waiter_delay=0,
        wait_time_seconds=10,  # a long poll: between two of them the trigger asks Airflow for its connection again
        visibility_timeout=20,
        delete_message_on_reception=delete,
    )


# [ways]
WAYS = {
    "dial_shared": KafkaSharedStreamTrigger(
        topics=["dial-shared"], kafka_config_id="kafka_dial_shared", poll_timeout=0.05
    ),
    "dial_sqs": sqs("dial-sqs", delete=True),
    "dial_sqs_keep": sqs("dial-sqs-keep", delete=False),
    "dial_redis": MessageQueueTrigger(
        scheme="redis+pubsub", channels=["dial-redis"], redis_conn_id="delivery_redis", poll_interval=0.1
    ),
    "dial_file": FileDeleteTrigger(filepath=str(FOLDER / "order.json"), poke_interval=0.5),
}
# [/ways]


def texts_in(payload):
    """Return the messages of a payload. A file was there, and that is all its payload says."""
    match payload:
        case True:
            return ['{"order_id": "a file"}']
        case {"message_batch": list(messages)}:
            return [message["Body"] for message in messages]
        case {"channel": _, "data": text}:
            return [text]
    return [payload]


@task
def serve(triggering_asset_events, dag):
    """Serve orders; one that comes twice is served twice. What is still in SQS is deleted afterwards."""
    payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
    with closing(PostgresHook("delivery_shop").get_conn()) as shop, shop, shop.cursor() as cursor:
        for text in (text for payload in payloads for text in texts_in(payload)):
            order = json.loads(text)["order_id"]
            cursor.execute("INSERT INTO served_by_dial (dag, order_id) VALUES (%s, %s)", [dag.dag_id, order])
    if dag.dag_id == "dial_sqs_keep":
        client = SqsHook(aws_conn_id="delivery_aws").get_conn()
        for message in (message for payload in payloads for message in payload["message_batch"]):
            client.delete_message(QueueUrl=QUEUE.format("dial-sqs-keep"), ReceiptHandle=message["ReceiptHandle"])


for name, trigger in WAYS.items():
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-06"]):
        serve()
