"""Each order is served once in effect: at least once from Kafka to Airflow, and a key that keeps doubles out."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.careful import CarefulTrigger

# [watcher]
careful = CarefulTrigger(
    topics=["careful"],
    kafka_config_id="kafka_careful",  # a group of its own
    poll_timeout=0.05,
    dlq_topic="careful-dead",
)
watcher = AssetWatcher("careful", trigger=careful)
orders = Asset("careful_orders", watchers=[watcher])
# [/watcher]

# [consumer]
TABLE = """
    CREATE TABLE IF NOT EXISTS served_once (
        order_id text PRIMARY KEY,
        event_at timestamptz NOT NULL,
        served_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
SERVE = """
    INSERT INTO served_once (order_id, event_at) VALUES (%s, %s)
    ON CONFLICT (order_id) DO NOTHING
"""
OVERLAP = timedelta(minutes=1)  # an earlier event may be committed later

with DAG(
    "serve_once",
    schedule=orders,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
    tags=["lab-06"],
):

    @task(inlets=[orders])
    def serve(inlet_events):
        """Serve every order that has an event and has not been served."""
        connection = closing(PostgresHook("delivery_shop").get_conn())
        # `shop` is one transaction: all of it is done, or the next try finds
        # everything as it was.
        with connection as shop, shop, shop.cursor() as cursor:
            cursor.execute(TABLE)
            cursor.execute("SELECT max(event_at) FROM served_once")
            newest = cursor.fetchone()[0]
            events = inlet_events[orders]
            if newest:
                events = events.after((newest - OVERLAP).isoformat())
            served = []
            for event in events:
                order = json.loads(event.extra["payload"])["order_id"]
                cursor.execute(SERVE, [order, event.timestamp])
                if cursor.rowcount:  # 0 where it has been served before
                    served.append(order)
            return served

    serve()
# [/consumer]
