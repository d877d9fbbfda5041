"""What most people write first: a run serves the orders that it is given, and writes down each that it serves."""

from __future__ import annotations

import json
from contextlib import closing

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}


# [serve]
@task
def serve(texts, table):
    """Serve orders; one that comes twice is served twice."""
    with closing(PostgresHook("delivery_shop").get_conn()) as shop, shop, shop.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} "
            "(order_id text NOT NULL, served_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        for text in texts:
            order = json.loads(text)["order_id"]
            cursor.execute(f"INSERT INTO {table} (order_id) VALUES (%s)", [order])  # noqa: S608  our own name


# [/serve]


# [plain]
single = MessageQueueTrigger(scheme="kafka", topics=["plain"], kafka_config_id="kafka_plain", poll_timeout=0.05)
plain = Asset("plain_orders", watchers=[AssetWatcher("plain", trigger=single)])

with DAG("serve_plainly", schedule=plain, **OPTIONS):

    @task
    def given(triggering_asset_events):
        """Return the messages that this run was given."""
        return [event.extra["payload"] for event in triggering_asset_events[plain]]

    serve(given(), "served_plainly")
# [/plain]

# [lists]
listing = KafkaBatchTrigger(["lists"], "kafka_lists")
lists = Asset("listed_orders", watchers=[AssetWatcher("lists", trigger=listing)])

with DAG("serve_lists", schedule=lists, **OPTIONS):

    @task
    def given_lists(triggering_asset_events):
        """Return the messages that this run was given: each event is a list."""
        return [text for event in triggering_asset_events[lists] for text in event.extra["payload"]]

    serve(given_lists(), "served_lists")
# [/lists]
