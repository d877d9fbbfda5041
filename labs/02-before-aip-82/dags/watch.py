"""The same work started by watchers: a run for each message, and a run for all the messages that are there."""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from order_trigger import OrdersTrigger
from tea_counter import handle

# [one]
one_order = MessageQueueTrigger(
    scheme="kafka",
    topics=["race-watcher"],
    kafka_config_id="kafka_race_watcher",
    poll_timeout=0.05,
)
orders_one = Asset("race_orders_one", watchers=[AssetWatcher(name="one_order", trigger=one_order)])

with DAG(
    dag_id="watch_one",
    schedule=orders_one,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "watcher"],
):

    @task
    def handle_order(triggering_asset_events):
        """Handle what arrived: a message a run."""
        return handle(json.loads(event.extra["payload"]) for event in triggering_asset_events[orders_one])

    handle_order()
# [/one]

# [drain]
all_orders = OrdersTrigger(topic="race-watcher-drain", kafka_config_id="kafka_race_watcher_drain")
orders_all = Asset("race_orders_all", watchers=[AssetWatcher(name="all_orders", trigger=all_orders)])

with DAG(
    dag_id="watch_drain",
    schedule=orders_all,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "watcher"],
):

    @task
    def handle_orders(triggering_asset_events):
        """Handle what arrived: each event is a list of orders."""
        events = triggering_asset_events[orders_all]
        return handle(order for event in events for order in event.extra["payload"])

    handle_orders()
# [/drain]
