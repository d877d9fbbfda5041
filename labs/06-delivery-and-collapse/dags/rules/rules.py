"""Dags that do next to nothing, each with one rule of scheduling: how many runs do the events on its assets make?

They load on Airflow 3.3 and on 3.4, need no broker, and are idle until somebody sends events.
"""

from __future__ import annotations

import time

from airflow.sdk import DAG, Asset, task

BUSY = 6
"""Seconds that the slow one takes: longer than its events need to come."""

# [rules]
milk, tea = Asset("rule_milk"), Asset("rule_tea")
cream, rum = Asset("rule_cream"), Asset("rule_rum")

RULES = {
    "rule_quick": Asset("rule_quick"),
    "rule_spaced": Asset("rule_spaced"),
    "rule_slow": Asset("rule_slow"),  # max_active_runs=1, and a slow task
    "rule_both": milk & tea,
    "rule_either": cream | rum,
    "rule_paused": Asset("rule_paused"),
}
# [/rules]


@task
def work(triggering_asset_events, seconds):
    """Return how many events this run has, after some time."""
    time.sleep(seconds)
    return sum(len(events) for events in triggering_asset_events.values())


for name, schedule in RULES.items():
    slow = name == "rule_slow"
    with DAG(name, schedule=schedule, catchup=False, max_active_runs=1 if slow else 16, tags=["lab-06"]):
        work(seconds=BUSY if slow else 0)
