"""Solution: an event first, the offset then; dead letters for what is no order; a key for each order that is done."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_delivery import ledger
from tea_delivery.stream import OrderStream

SEEN = str(Path(__file__).parent / "dial" / "fulfil_order.seen")  # the dial looks there

# [trigger]
arrived = OrderStream(
    topics=["fulfilments"],
    kafka_config_id="kafka_fulfilments",
    poll_timeout=0.05,
    dead_letters="fulfilments-dead",
    seen=SEEN,
)
# [/trigger]

fulfilments = Asset("fulfilments", watchers=[AssetWatcher("fulfilments_on_kafka", trigger=arrived)])

with DAG("fulfil_order", schedule=fulfilments, catchup=False, is_paused_upon_creation=True, tags=["lab-06"]):
    # [task]
    @task
    def fulfil(triggering_asset_events):
        """Write down the orders, each once."""
        for event in triggering_asset_events[fulfilments]:
            ledger.write_once("fulfil_order", ledger.orders_in(event.extra["payload"]))

    # [/task]

    fulfil()
