"""A task that waits in the triggerer, as deferred tasks do."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator


# [steep]
class Steep(BaseOperator):
    """Lets the tea steep for a second, and holds no worker meanwhile."""

    def execute(self, context):  # noqa: ARG002  Airflow gives it
        """Ask the triggerer to wake us."""
        trigger = TimeDeltaTrigger(timedelta(seconds=1))
        self.defer(trigger=trigger, method_name="pour")

    def pour(self, context, event=None):
        """Go on."""


with DAG(
    "steep_tea",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["lab-07"],
):
    Steep(task_id="steep")
# [/steep]
