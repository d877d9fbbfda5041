"""One asset, two doors: a watcher goes and looks at a topic, and whoever may call Airflow's REST API pushes."""

from __future__ import annotations

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, PartitionedAssetTimetable, task

# [asset]
desk = Asset(
    name="desk",
    watchers=[
        AssetWatcher(
            name="desk_on_kafka",
            trigger=MessageQueueTrigger(
                scheme="kafka",
                topics=["desk"],
                kafka_config_id="kafka_desk",
                poll_timeout=0.05,
            ),
        )
    ],
)
# [/asset]


@task
def show(triggering_asset_events):
    """Return what each event brought along."""
    return [event.extra for event in triggering_asset_events[desk]]


# [dags]
with DAG(dag_id="desk_for_all", schedule=desk, catchup=False, tags=["lab-01"]):
    show()

with DAG(
    dag_id="desk_by_branch",
    schedule=PartitionedAssetTimetable(assets=desk),
    catchup=False,
    tags=["lab-01"],
):
    show()
# [/dags]
