"""Exercise: let this Dag understand events from both doors.

The shop's own till writes to the Kafka topic `parcels`, and a watcher looks there. Now a delivery company wants to send
its orders too. It cannot reach our Kafka; it calls Airflow's REST API. The task knows only the watcher's events: on a
pushed one it fails.
"""

from __future__ import annotations

import json

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task

parcels = Asset(
    name="parcels",
    watchers=[
        AssetWatcher(
            name="parcels_on_kafka",
            trigger=MessageQueueTrigger(
                scheme="kafka",
                topics=["parcels"],
                kafka_config_id="kafka_parcels",
                poll_timeout=0.05,
            ),
        )
    ],
)


# [read]
def read(event):
    """Return the number of the order that an event brings, and the door it came by: `watcher` or `push`."""
    # TODO: a pushed event has no `payload`. The company puts `order_id` straight into `extra`.
    order = json.loads(event.extra["payload"])
    return {"order_id": order["order_id"], "door": "watcher"}


# [/read]

with DAG(dag_id="pack_parcel", schedule=parcels, catchup=False, tags=["lab-01", "exercise"]):

    @task
    def pack(triggering_asset_events):
        """Return what there is to pack: a run may bring several events, and from both doors."""
        return [read(event) for event in triggering_asset_events[parcels]]

    pack()
