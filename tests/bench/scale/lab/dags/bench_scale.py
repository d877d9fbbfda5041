"""Dags that do next to nothing: `scale_idle` has as many watchers as `watchers.json` says, the others one each."""

from __future__ import annotations

import json
from pathlib import Path

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.triggers.file import DirectoryFileDeleteTrigger, FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetAny, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger

LAB = Path(__file__).parents[1]
WANTED = json.loads((LAB / "watchers.json").read_text(encoding="utf-8"))
"""`family`, `watchers` and `interval` in seconds."""


def idle_trigger(number: int):
    """Return the trigger of one of the watchers for which nothing ever comes."""
    family, interval = WANTED["family"], WANTED["interval"]
    name = f"never-{number}"
    match family:
        case "file":
            return FileDeleteTrigger(filepath=str(LAB / "drop" / name), poke_interval=interval)
        case "directory":
            return DirectoryFileDeleteTrigger(directory=str(LAB / "drop"), filename=name, poke_interval=interval)
        case "sqs" | "failing":
            queue = "scale-idle" if family == "sqs" else "scale-nowhere"
            return MessageQueueTrigger(
                scheme="sqs",
                sqs_queue=f"http://127.0.0.1/123456789012/{queue}",
                aws_conn_id="scale_aws",
                # Each of its own: identical triggers would be one row.
                visibility_timeout=number + 1,
                wait_time_seconds=0,
                waiter_delay=interval,
            )
        case "kafka":
            return MessageQueueTrigger(
                scheme="kafka", topics=["scale_idle"], kafka_config_id="scale_idle", poll_timeout=interval,
                apply_function_kwargs={"number": number},
            )  # fmt: skip
        case "kafka-shared":
            # The argument that differs takes no part in which of them share a consumer.
            return KafkaSharedStreamTrigger(
                topics=["scale_idle"], kafka_config_id="scale_idle", poll_timeout=interval, dlq_topic=name
            )
        case _:
            raise ValueError(family)


def make(name: str, schedule, tasks: int) -> None:
    """Make a Dag with some tasks, one after the other."""
    with DAG(name, schedule=schedule, catchup=False, max_active_runs=16, is_paused_upon_creation=True, tags=["bench"]):

        @task
        def nothing():
            """Return a number, as a task does that tells the next one something."""
            return 1

        before = None
        for number in range(tasks):
            one = nothing.override(task_id=f"nothing_{number}")()
            if before is not None:
                before >> one
            before = one


def stream(topic: str) -> Asset:
    """Return an asset with an event for each message of a topic."""
    trigger = KafkaSharedStreamTrigger(topics=[topic], kafka_config_id=topic, poll_timeout=0.05)
    return Asset(topic, watchers=[AssetWatcher(name=topic, trigger=trigger)])


idle = [
    Asset(f"scale_idle_{number}", watchers=[AssetWatcher(name=f"idle_{number}", trigger=idle_trigger(number))])
    for number in range(WANTED["watchers"])
]
# A Dag has to be scheduled on something, with no watcher, too.
make("scale_idle", AssetAny(*idle, Asset("scale_nobody"), Asset("scale_nobody_else")), 1)

make("scale_one", stream("scale_one"), 1)
returns = MessageQueueTrigger(
    scheme="kafka", topics=["scale_single"], kafka_config_id="scale_single", poll_timeout=0.05
)
make("scale_single", Asset("scale_single", watchers=[AssetWatcher(name="scale_single", trigger=returns)]), 1)
make("scale_tasks", stream("scale_tasks"), 4)
four = stream("scale_dags")
for number in range(1, 5):
    make(f"scale_dags_{number}", four, 1)
two = stream("scale_point")
for number in range(1, 3):
    make(f"scale_point_{number}", two, 2)
single = MessageQueueTrigger(
    scheme="kafka", topics=["scale_point_single"], kafka_config_id="scale_point_single", poll_timeout=0.05
)
make(
    "scale_point_single",
    Asset("scale_point_single", watchers=[AssetWatcher(name="scale_point_single", trigger=single)]),
    2,
)
batch = KafkaBatchTrigger(["scale_point_batch"], "scale_point_batch", max_messages=500)
make(
    "scale_point_batch",
    Asset("scale_point_batch", watchers=[AssetWatcher(name="scale_point_batch", trigger=batch)]),
    1,
)
