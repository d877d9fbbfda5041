"""The same from SQS, with and without deletion on reception, and from Redis."""

from __future__ import annotations

from airflow.providers.amazon.aws.hooks.sqs import SqsHook
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.ledger import write_down

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}
QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"

# [sqs]
taking = MessageQueueTrigger(
    scheme="sqs", sqs_queue=f"{QUEUES}/delivery-taken", aws_conn_id="delivery_aws", waiter_delay=1
)
taken = Asset("taken_orders", watchers=[AssetWatcher("taken", trigger=taking)])

with DAG("serve_taken", schedule=taken, **OPTIONS):

    @task
    def serve_taken(triggering_asset_events):
        """Serve what this run was given; the queue has it no more."""
        batches = [event.extra["payload"]["message_batch"] for event in triggering_asset_events[taken]]
        write_down([message["Body"] for batch in batches for message in batch], "served_taken")

    serve_taken()
# [/sqs]

# [kept]
keeping = MessageQueueTrigger(
    scheme="sqs",
    sqs_queue=f"{QUEUES}/delivery-kept",
    aws_conn_id="delivery_aws",
    waiter_delay=1,
    delete_message_on_reception=False,
    visibility_timeout=20,  # seconds that the Dag has to delete it, or it comes again
)
kept = Asset("kept_orders", watchers=[AssetWatcher("kept", trigger=keeping)])

with DAG("serve_kept", schedule=kept, **OPTIONS):

    @task
    def serve_kept(triggering_asset_events):
        """Serve what this run was given, then delete it from the queue."""
        batches = [event.extra["payload"]["message_batch"] for event in triggering_asset_events[kept]]
        messages = [message for batch in batches for message in batch]
        write_down([message["Body"] for message in messages], "served_kept")
        queue = SqsHook("delivery_aws").conn
        for message in messages:
            queue.delete_message(QueueUrl=f"{QUEUES}/delivery-kept", ReceiptHandle=message["ReceiptHandle"])

    serve_kept()
# [/kept]

# [redis]
hearing = MessageQueueTrigger(
    scheme="redis+pubsub", channels=["delivery-heard"], redis_conn_id="delivery_redis", poll_interval=0.1
)
heard = Asset("heard_orders", watchers=[AssetWatcher("heard", trigger=hearing)])

with DAG("serve_heard", schedule=heard, **OPTIONS):

    @task
    def serve_heard(triggering_asset_events):
        """Serve what this run was given."""
        write_down([event.extra["payload"]["data"] for event in triggering_asset_events[heard]], "served_heard")

    serve_heard()
# [/redis]
