"""There is always a run of this Dag, and its first task looks into the box of slips every two seconds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from airflow.sdk import DAG, PokeReturnValue, task

looks = itertools.count(1)  # each task runs in a process of its own, so each begins with 1

# [dag]
with DAG(
    dag_id="slips_by_sensor",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["lab-01"],
):

    @task.sensor(poke_interval=2, mode="poke")
    def wait_for_slip():
        """Look until there is a slip; return how many looks it took."""
        from slip_box import count_new  # noqa: PLC0415

        return PokeReturnValue(is_done=count_new("kafka_slips_sensor") > 0, xcom_value=next(looks))

    @task
    def handle():
        """Return what came since the last run."""
        from slip_box import take_new  # noqa: PLC0415

        return take_new("kafka_slips_sensor")

    wait_for_slip() >> handle()
# [/dag]
