"""Exercise: fulfil each order exactly once in effect, whatever happens to the triggerer.

As it is, an order is lost when the triggerer dies at the wrong moment; an order that comes twice is fulfilled twice;
and a message that is no order makes a run fail.
"""

from __future__ import annotations

from pathlib import Path

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_delivery import ledger
from tea_delivery.stream import OrderStream  # noqa: F401  you will need it

SEEN = str(Path(__file__).parent / "dial" / "fulfil_order.seen")  # the dial looks there: give it as `seen=SEEN`

# [trigger]
# TODO: commit after the event is stored, and send what is no order to the topic `fulfilments-dead`.
arrived = MessageQueueTrigger(
    scheme="kafka",
    topics=["fulfilments"],
    kafka_config_id="kafka_fulfilments",
    poll_timeout=0.05,
)
# [/trigger]

fulfilments = Asset("fulfilments", watchers=[AssetWatcher("fulfilments_on_kafka", trigger=arrived)])

with DAG("fulfil_order", schedule=fulfilments, catchup=False, is_paused_upon_creation=True, tags=["lab-06"]):
    # [task]
    @task
    def fulfil(triggering_asset_events):
        """Write down the orders."""
        for event in triggering_asset_events[fulfilments]:
            # TODO: an order that is in the ledger must not get a second line.
            ledger.write("fulfil_order", ledger.orders_in(event.extra["payload"]))

    # [/task]

    fulfil()
