"""Nine messages, one of them no JSON: eight runs succeed, one fails, and its task sends the message to dead letters.

What has to come of it is what Airflow's own end-to-end test of event-driven scheduling expects
(`airflow-e2e-tests/…/event_driven_tests/test_event_driven.py` in apache/airflow).
"""

from __future__ import annotations

import json
from datetime import timedelta

from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, get_current_context, task

TRIGGER = MessageQueueTrigger(scheme="kafka", topics=["nine"], kafka_config_id="kafka_nine", poll_timeout=0.05)
nine = Asset("nine", watchers=[AssetWatcher(name="nine_on_kafka", trigger=TRIGGER)])


# [dag]
def refused():
    """Yield the payloads that this run was for, as dead letters."""
    for event in get_current_context()["triggering_asset_events"][nine]:
        yield json.dumps(event.asset.uri), json.dumps({"reason": "not JSON", "payload": event.extra["payload"]})


with DAG("take_nine", schedule=nine, catchup=False, is_paused_upon_creation=True, tags=["lab-06"]):

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def total(triggering_asset_events):
        """Return what the orders cost."""
        orders = [json.loads(event.extra["payload"]) for event in triggering_asset_events[nine]]
        return sum(order["cups"] * order["price"] for order in orders)

    total() >> ProduceToTopicOperator(
        task_id="bury",
        kafka_config_id="kafka_nine",
        topic="nine-dead",
        producer_function=refused,
        trigger_rule="one_failed",
    )
# [/dag]
