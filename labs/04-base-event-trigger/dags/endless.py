"""Four watchers that fire for as long as they are left alone. All are paused; the notebook gives them seconds."""

from __future__ import annotations

from airflow.providers.http.triggers.http import HttpEventTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher
from tea_triggers.cadence import MarkedS3Key, TickTrigger

# [triggers]
TRIGGERS = {
    "endless_s3": MarkedS3Key(bucket_name="menus", bucket_key="spring.json", aws_conn_id="shop_s3"),
    "endless_http": HttpEventTrigger(
        http_conn_id="airflow_http",
        endpoint="api/v2/version",
        response_check_path="tea_triggers.cadence.always",
        poll_interval=60,
    ),
    "tick_and_return": TickTrigger(0.5, stay=False),
    "tick_and_stay": TickTrigger(0.5, stay=True),
}
# [/triggers]

for name, trigger in TRIGGERS.items():
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-04"]):
        EmptyOperator(task_id="nothing")
