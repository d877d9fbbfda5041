"""There is always a run of this Dag, and its first task looks into the box of slips every two seconds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from airflow.sdk import DAG, task

looks = itertools.count(1)  # each task runs in a process of its own, so each begins with 1

# [dag]
with DAG(
    dag_id="slips_by_sensor",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),  # without one, the second run never comes
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["lab-01"],
):

    @task.sensor(poke_interval=2, mode="poke")
    def wait_for_slip(ti):
        """Look whether there is a slip, and note how many looks it has been."""
        from slip_box import count_new  # noqa: PLC0415

        ti.xcom_push(key="looks", value=next(looks))
        return count_new("kafka_slips_sensor") > 0

    @task
    def handle():
        """Return what came since the last run."""
        from slip_box import take_new  # noqa: PLC0415

        return take_new("kafka_slips_sensor")

    wait_for_slip() >> handle()
# [/dag]
