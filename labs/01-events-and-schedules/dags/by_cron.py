"""Looks into the box of slips once a minute, on the minute. Cron knows no smaller step."""

from __future__ import annotations

from airflow.sdk import DAG, task

# [dag]
with DAG(
    dag_id="slips_by_cron",
    schedule="* * * * *",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["lab-01"],
):

    @task
    def handle():
        """Return what came since the last look."""
        from slip_box import take_new  # noqa: PLC0415  the Dag processor need not load Kafka's library

        return take_new("kafka_slips_cron")

    handle()
# [/dag]
