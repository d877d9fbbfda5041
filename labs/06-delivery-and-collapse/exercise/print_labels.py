"""Exercise: print a label for each cup. A label is a JSON object on the topic `labels`: `{"label": "A-1"}`.

However you mend it, the task returns the labels that it printed: the check counts them.
"""

from __future__ import annotations

import json

from airflow.sdk import DAG, Asset, AssetWatcher, task
from label_feed import LabelTrigger

labels = Asset("labels", watchers=[AssetWatcher("labels_on_kafka", trigger=LabelTrigger())])

with DAG(
    "print_labels",
    schedule=labels,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-06"],
):
    # [print]
    @task
    def print_them(triggering_asset_events):
        """Return the labels that were printed."""
        events = triggering_asset_events[labels]
        return [json.loads(event.extra["payload"])["label"] for event in events]

    # [/print]

    print_them()
