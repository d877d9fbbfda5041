"""What most people write first: a run serves the orders that it is given, and writes down each that it serves."""

from __future__ import annotations

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger
from tea_burst.ledger import write_down

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}

# [plain]
single = MessageQueueTrigger(scheme="kafka", topics=["plain"], kafka_config_id="kafka_plain", poll_timeout=0.05)
plain = Asset("plain_orders", watchers=[AssetWatcher("plain", trigger=single)])

with DAG("serve_plainly", schedule=plain, **OPTIONS):

    @task
    def serve(triggering_asset_events):
        """Serve what this run was given."""
        write_down([event.extra["payload"] for event in triggering_asset_events[plain]], "served_plainly")

    serve()
# [/plain]

# [lists]
listing = KafkaBatchTrigger(["lists"], "kafka_lists")
lists = Asset("listed_orders", watchers=[AssetWatcher("lists", trigger=listing)])

with DAG("serve_lists", schedule=lists, **OPTIONS):

    @task
    def serve_all(triggering_asset_events):
        """Serve what this run was given: each event is a list."""
        events = triggering_asset_events[lists]
        write_down([text for event in events for text in event.extra["payload"]], "served_lists")

    serve_all()
# [/lists]
