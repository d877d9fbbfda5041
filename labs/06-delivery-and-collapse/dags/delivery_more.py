"""The shared stream as it comes, with a Dag that serves what it is given; and a folder with a file for each order."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.providers.standard.triggers.file import DirectoryFileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.ledger import write_down

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}
FOLDER = Path(__file__).parents[3] / "work" / "06-delivery-and-collapse" / "slips"

# [streamed]
streaming = KafkaSharedStreamTrigger(
    topics=["streamed"],
    kafka_config_id="kafka_streamed",
    poll_timeout=0.05,
)
stream_watcher = AssetWatcher("streamed", trigger=streaming)
streamed = Asset("streamed_orders", watchers=[stream_watcher])

with DAG("serve_streamed", schedule=streamed, **OPTIONS):

    @task
    def serve_streamed(triggering_asset_events):
        """Serve what this run was given."""
        events = triggering_asset_events[streamed]
        orders = [event.extra["payload"] for event in events]
        write_down(orders, "served_streamed")

    serve_streamed()
# [/streamed]

# [slips]
slips = Asset(
    "slip_orders",
    watchers=[
        AssetWatcher(name, trigger=DirectoryFileDeleteTrigger(directory=str(FOLDER), filename=name, poke_interval=0.5))
        for name in ("slip-1", "slip-2", "slip-3", "slip-4")
    ],
)

with DAG("serve_slips", schedule=slips, **OPTIONS):

    @task
    def serve_slips(triggering_asset_events):
        """Serve orders that are known by their file's name alone: the trigger has deleted what was in the file."""
        names = [Path(event.extra["payload"]["filepath"]).name for event in triggering_asset_events[slips]]
        orders = [FOLDER / name.replace("slip", "order") for name in names]
        # Without a copy of the order, the slip is one of an experiment that somebody ended.
        write_down([order.read_text(encoding="utf-8") for order in orders if order.exists()], "served_slips")

    serve_slips()
# [/slips]
