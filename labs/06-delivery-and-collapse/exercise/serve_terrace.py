"""Exercise: a cup for each order from the terrace, and never two, whatever becomes of the triggerer or the message.

`terrace_cups`, in the shop's database, has a row for each cup that was poured: the check counts them.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.careful import complaint

# [watcher]
# TODO: this trigger tells Kafka "done" too soon, and its consumer group is another watcher's.
waiting = MessageQueueTrigger(
    scheme="kafka",
    topics=["terrace"],
    kafka_config_id="kafka_careful",
    poll_timeout=0.05,
)
terrace = Asset("terrace_orders", watchers=[AssetWatcher("terrace", trigger=waiting)])
# [/watcher]

TABLES = """
    CREATE TABLE IF NOT EXISTS terrace_done (order_id text PRIMARY KEY, event_at timestamptz NOT NULL);
    CREATE TABLE IF NOT EXISTS terrace_cups (
        order_id text NOT NULL, poured_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
POUR = "INSERT INTO terrace_cups (order_id) VALUES (%s)"


def order_in(event):
    """Return an event's order, None where it has none: such an event can be from before the trigger looked."""
    text = event.extra["payload"]
    return None if complaint(text.encode()) else json.loads(text)["order_id"]


with DAG(
    "serve_terrace",
    schedule=terrace,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    tags=["lab-06"],
):
    # [serve]
    @task
    def serve(triggering_asset_events):
        """TODO: an order that comes twice gets two cups; one in no run's events gets none."""
        connection = closing(PostgresHook("delivery_shop").get_conn())
        with connection as shop, shop, shop.cursor() as cursor:
            cursor.execute(TABLES)
            for event in triggering_asset_events[terrace]:
                order = order_in(event)
                if order is not None:
                    cursor.execute(POUR, [order])

    # [/serve]

    serve()
