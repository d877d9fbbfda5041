"""Six branches of the tea shop: each has a topic, and a watcher of its own."""

from __future__ import annotations

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

# [branches]
for number in range(1, 7):
    trigger = KafkaSharedStreamTrigger(
        topics=[f"branch-{number}"],
        kafka_config_id=f"kafka_branch_{number}",  # a group of its own
        poll_timeout=0.05,
    )
    watcher = AssetWatcher(f"branch_{number}", trigger=trigger)
    orders = Asset(f"branch_{number}_orders", watchers=[watcher])

    with DAG(
        f"serve_branch_{number}",
        schedule=orders,
        catchup=False,
        is_paused_upon_creation=True,
        tags=["lab-07"],
    ):
        # The scheduler itself ticks it off: here only the way to the run counts.
        EmptyOperator(task_id="serve")
# [/branches]
