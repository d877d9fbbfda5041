"""The old pattern with Kafka's own sensor: a Dag run that never ends and waits in the triggerer."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.apache.kafka.sensors.kafka import AwaitMessageTriggerFunctionSensor
from airflow.sdk import DAG
from tea_counter import handle


# [function]
def on_order(order, **context):  # noqa: ANN003  the context is Airflow's
    """Handle one order, inside the sensor's own task."""
    context["ti"].xcom_push(key=f"order_{order['order_id']}", value=handle([order]))


# [/function]

# [dag]
with DAG(
    dag_id="old_kafka",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "old"],
):
    AwaitMessageTriggerFunctionSensor(
        task_id="wait_for_order",
        topics=["race-old-kafka"],
        kafka_config_id="kafka_race_old_kafka",
        apply_function="tea_counter.read",  # by name: it is the triggerer that calls it
        event_triggered_function=on_order,
        poll_timeout=0.05,
    )
# [/dag]
