"""What Airflow 3.4 brings: a Dag that asks to have its events in one run. Airflow 3.3 cannot import it."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetTriggeredTimetable, task

# [batched]
together = AssetTriggeredTimetable(
    assets=Asset("rule_batched"),
    batch_asset_events=True,
)

with DAG("rule_batched", schedule=together, catchup=False, tags=["lab-06"]):
    # [/batched]

    @task
    def work(triggering_asset_events):
        """Return how many events this run has."""
        return sum(len(events) for events in triggering_asset_events.values())

    work()
