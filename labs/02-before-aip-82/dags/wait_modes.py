"""Two ways to wait until the same moment, each in a pool of two slots, with a quick task that wants a slot too.

A run has to be asked for, with `{"open_at": "2026-11-25T08:00:00+00:00"}` as its `conf`; the pools as well.
"""

from __future__ import annotations

from airflow.providers.standard.sensors.date_time import DateTimeSensor, DateTimeSensorAsync
from airflow.sdk import DAG, task

# [sensors]
MOMENT = "{{ dag_run.conf['open_at'] }}"
SENSORS = {
    "poke": lambda name, **rest: DateTimeSensor(
        task_id=name, target_time=MOMENT, mode="poke", poke_interval=1, **rest
    ),
    "deferrable": lambda name, **rest: DateTimeSensorAsync(
        task_id=name, target_time=MOMENT, **rest
    ),
}  # fmt: skip

for way, sensor in SENSORS.items():
    with DAG(dag_id=f"wait_{way}", schedule=None, catchup=False, tags=["lab-02"]):
        pool = f"door_{way}"
        for door in ("front", "back"):
            sensor(f"{door}_door", pool=pool, priority_weight=10, weight_rule="absolute")

        @task(pool=pool, weight_rule="absolute")
        def quick():
            """Ask for a slot behind the two sensors, for a moment only."""

        quick()
# [/sensors]
