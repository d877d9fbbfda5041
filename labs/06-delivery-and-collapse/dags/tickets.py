"""Order tickets from Kafka to the kitchen: an event a message, and four ways to leave none of them behind.

Each of these Dags has a topic of its own; what its task returns are the numbers of the tickets that it handled.
"""

from __future__ import annotations

import json
from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger
from tea_burst.flush import FlushTrigger
from tea_burst.one_by_one import OneByOneTrigger
from tea_burst.spaced import SpacedTrigger

OPTIONS = {"catchup": False, "is_paused_upon_creation": True, "tags": ["lab-06"]}


def number(text):
    """Return a ticket's number: all that the kitchen does with it here."""
    return json.loads(text)["ticket"]


# [one-by-one]
one_by_one = OneByOneTrigger(["tickets"], "kafka_tickets")
tickets = Asset("tickets", watchers=[AssetWatcher("tickets", trigger=one_by_one)])

with DAG("take_one_by_one", schedule=tickets, **OPTIONS):

    @task
    def handle(triggering_asset_events):
        """Handle what this run was given."""
        return [number(event.extra["payload"]) for event in triggering_asset_events[tickets]]

    handle()
# [/one-by-one]

# [batch]
all_there_is = KafkaBatchTrigger(["tickets-batch"], "kafka_tickets_batch")
batches = Asset("ticket_batches", watchers=[AssetWatcher("batches", trigger=all_there_is)])

with DAG("mend_batch", schedule=batches, **OPTIONS):

    @task
    def handle_lists(triggering_asset_events):
        """Handle what this run was given: each event is a list."""
        events = triggering_asset_events[batches]
        return [number(text) for event in events for text in event.extra["payload"]]

    handle_lists()
# [/batch]

# [spacing]
one_then_pause = SpacedTrigger(["tickets-spacing"], "kafka_tickets_spacing")
spaced = Asset("tickets_spaced", watchers=[AssetWatcher("spaced", trigger=one_then_pause)])

with DAG("mend_spacing", schedule=spaced, **OPTIONS):

    @task
    def handle_one(triggering_asset_events):
        """Handle what this run was given."""
        return [number(event.extra["payload"]) for event in triggering_asset_events[spaced]]

    handle_one()
# [/spacing]

# [drain]
OVERLAP = timedelta(minutes=1)  # an earlier event may be committed later

still_one_by_one = OneByOneTrigger(["tickets-drain"], "kafka_tickets_drain")
still_watching = AssetWatcher("drained", trigger=still_one_by_one)
drained = Asset("tickets_drained", watchers=[still_watching])

with DAG("mend_drain", schedule=drained, max_active_runs=1, **OPTIONS):

    @task(inlets=[drained])
    def handle_all(inlet_events, asset_state_store):
        """Take the run for a wake-up call, and handle every new event."""
        done = asset_state_store.get("done") or {"since": None, "ids": []}
        events = inlet_events[drained]
        if done["since"]:
            events = events.after(done["since"])
        there = list(events)
        new = [event for event in there if event.id not in done["ids"]]
        if new:  # else the run before has been here first
            since = there[-1].timestamp - OVERLAP
            ids = [event.id for event in there if event.timestamp >= since]
            done = {"since": since.isoformat(), "ids": ids}
            asset_state_store.set("done", done)
        return [number(event.extra["payload"]) for event in new]

    handle_all()
# [/drain]

# [flush]
then_flush = FlushTrigger(["tickets-flush"], "kafka_tickets_flush")
flushed = Asset("tickets_flushed", watchers=[AssetWatcher("flushed", trigger=then_flush)])

with DAG("mend_flush", schedule=flushed, **OPTIONS):

    @task
    def handle_messages(triggering_asset_events):
        """Handle what this run was given; a flush has no message, and has done its work already."""
        payloads = [event.extra["payload"] for event in triggering_asset_events[flushed]]
        return [number(text) for text in payloads if text is not None]

    handle_messages()
# [/flush]
