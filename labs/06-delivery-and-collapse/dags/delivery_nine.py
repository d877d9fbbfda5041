"""Eight orders and one that is none: a run each, and the bad one's message on a dead-letter topic.

The shape is that of Airflow's own end-to-end test of event-driven scheduling (`airflow-e2e-tests`, Apache License 2.0):
what it expects of Airflow has to hold here too.
"""

from __future__ import annotations

import json
from datetime import timedelta

from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}


# [messages]
def nine_messages():
    """Yield eight orders and what is no order, as pairs of key and value."""
    for number in range(1, 9):
        yield str(number), json.dumps({"order_id": number, "cups": number})
    yield "9", "malformed"


# [/messages]

with DAG("send_nine", schedule=None, **OPTIONS):
    ProduceToTopicOperator(task_id="send", kafka_config_id="kafka_nine", topic="nine", producer_function=nine_messages)

# [nine]
one_message = MessageQueueTrigger(
    scheme="kafka",
    topics=["nine"],
    kafka_config_id="kafka_nine",
    poll_timeout=0.05,
)
nine_watcher = AssetWatcher("nine", trigger=one_message)
nine = Asset("nine_orders", watchers=[nine_watcher])

with DAG("serve_nine", schedule=nine, **OPTIONS):

    @task(retries=2, retry_delay=timedelta(seconds=1))
    def serve_one(triggering_asset_events):
        """Read what this run was given; what is no order makes it fail."""
        events = triggering_asset_events[nine]
        orders = [json.loads(event.extra["payload"]) for event in events]
        return [order["cups"] for order in orders]

    def dead_letters():
        """Yield the messages of a run that could not serve them."""
        for event in get_current_context()["triggering_asset_events"][nine]:
            value = event.extra["payload"]
            letter = {"reason": "serve_one failed", "value": value}
            yield "serve_nine", json.dumps(letter)

    bury = ProduceToTopicOperator(
        task_id="bury",
        trigger_rule="all_failed",
        kafka_config_id="kafka_nine",
        topic="nine-dead",
        producer_function=dead_letters,
    )

    @task
    def admit():
        """Fail: a run is what its last task is, and nothing was served."""
        raise AirflowFailException("not served: see the topic nine-dead")

    serve_one() >> bury >> admit()
# [/nine]
