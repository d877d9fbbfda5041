"""Solution: a cup for each order from the terrace, and never two, whatever becomes of the triggerer or the message.

`terrace_cups`, in the shop's database, has a row for each cup that was poured: the check counts them.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.careful import complaint
from terrace_feed import TerraceTrigger

# [watcher]
waiting = TerraceTrigger(
    topics=["terrace"],
    kafka_config_id="kafka_terrace",  # a group of its own, and enable.auto.commit=false
    poll_timeout=0.05,
    dlq_topic="terrace-dead",
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
# [once]
MARK = """
    INSERT INTO terrace_done (order_id, event_at) VALUES (%s, %s)
    ON CONFLICT (order_id) DO NOTHING
"""
OVERLAP = timedelta(minutes=1)  # of two events, the earlier one may be committed later
# [/once]


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
    @task(inlets=[terrace])
    def serve(inlet_events):
        """Pour a cup for each order that has an event and no cup yet.

        A run is but a wake-up call.
        """
        connection = closing(PostgresHook("delivery_shop").get_conn())
        with connection as shop, shop, shop.cursor() as cursor:
            cursor.execute(TABLES)
            cursor.execute("SELECT max(event_at) FROM terrace_done")
            newest = cursor.fetchone()[0]
            events = inlet_events[terrace]
            for event in events.after((newest - OVERLAP).isoformat()) if newest else events:
                order = order_in(event)
                if order is None:
                    continue
                cursor.execute(MARK, [order, event.timestamp])
                if cursor.rowcount:  # 0 where it has a cup
                    cursor.execute(POUR, [order])

    # [/serve]

    serve()
