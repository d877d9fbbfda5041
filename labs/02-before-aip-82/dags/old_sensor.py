"""The old pattern with a plain sensor, twice: one order a run, and all the orders that are there."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, task
from order_sensor import OrderSensor
from tea_counter import handle


@task
def handle_orders(orders):
    """Handle the orders that the sensor took."""
    return handle(orders)


# [one]
with DAG(
    dag_id="old_one",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "old"],
):
    sensor = OrderSensor(
        task_id="wait_for_order",
        topic="race-old-one",
        kafka_config_id="kafka_race_old_one",
        most=1,
    )
    handle_orders(sensor.output)
# [/one]

# [drain]
with DAG(
    dag_id="old_drain",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-02", "old"],
):
    sensor = OrderSensor(
        task_id="wait_for_order",
        topic="race-old-drain",
        kafka_config_id="kafka_race_old_drain",
        most=500,
    )
    handle_orders(sensor.output)
# [/drain]
