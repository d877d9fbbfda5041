"""Dags that nobody runs, as many as `watchers.json` says: what they cost is being parsed."""

from __future__ import annotations

import json
from pathlib import Path

from airflow.sdk import DAG, task

LAB = Path(__file__).parents[1]

for number in range(1 + json.loads((LAB / "watchers.json").read_text(encoding="utf-8"))["dags"]):
    with DAG(f"scale_more_{number}", schedule=None, tags=["bench"]):

        @task
        def nothing():
            """Do nothing."""

        nothing()
