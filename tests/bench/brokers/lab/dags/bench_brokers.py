"""One Dag a contender: its watcher, and a task that counts the messages that it was given."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.triggers.file import DirectoryFileDeleteTrigger, FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetAny, AssetWatcher, task
from tea_burst.batch import KafkaBatchTrigger
from tea_triggers.database import OutboxTrigger

DROP = Path(__file__).parents[1] / "drop"
FLAGS = [f"flag-{number}" for number in range(8)]

# [triggers]
TRIGGERS = {
    "bench_kafka_single": MessageQueueTrigger(
        scheme="kafka", topics=["bench_kafka_single"], kafka_config_id="bench_kafka_single", poll_timeout=0.05
    ),
    "bench_kafka_batch": KafkaBatchTrigger(["bench_kafka_batch"], "bench_kafka_batch", max_messages=2000),
    "bench_kafka_shared": KafkaSharedStreamTrigger(
        topics=["bench_kafka_shared"], kafka_config_id="bench_kafka_shared", poll_timeout=0.05
    ),
    "bench_sqs_single": MessageQueueTrigger(
        scheme="sqs",
        sqs_queue="http://127.0.0.1/123456789012/bench_sqs_single",
        aws_conn_id="bench_aws",
        max_messages=10,
        waiter_delay=1,
    ),
    "bench_sqs_batches": MessageQueueTrigger(
        scheme="sqs",
        sqs_queue="http://127.0.0.1/123456789012/bench_sqs_batches",
        aws_conn_id="bench_aws",
        max_messages=10,
        num_batches=10,
        wait_time_seconds=0,
        waiter_delay=1,
    ),
    "bench_redis": MessageQueueTrigger(
        scheme="redis+pubsub", channels=["bench_redis"], redis_conn_id="bench_redis", poll_interval=0.1
    ),
    "bench_file": FileDeleteTrigger(filepath=str(DROP / "file"), poke_interval=0.1),
    "bench_outbox": OutboxTrigger(poll_seconds=2.5),
}
# [/triggers]


def messages(payload) -> list:
    """Return what one event carries, as a list, whatever its trigger makes of it."""
    if isinstance(payload, dict):
        payload = payload.get("message_batch") or payload.get("rows") or payload
    return payload if isinstance(payload, list) else [payload]


def make(name: str, schedule) -> None:
    """Make the Dag of a contender."""
    with DAG(name, schedule=schedule, catchup=False, is_paused_upon_creation=True, tags=["bench"]):

        @task
        def count(triggering_asset_events):
            """Return how many messages this run was given."""
            return sum(
                len(messages(event.extra["payload"])) for events in triggering_asset_events.values() for event in events
            )

        count()


for name, trigger in TRIGGERS.items():
    make(name, Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)]))

# [directory]
make(
    "bench_directory",
    AssetAny(
        *(
            Asset(
                f"bench_directory_{flag}",
                watchers=[
                    AssetWatcher(
                        name=flag,
                        trigger=DirectoryFileDeleteTrigger(
                            directory=str(DROP / "flags"), filename=flag, poke_interval=0.1
                        ),
                    )
                ],
            )
            for flag in FLAGS
        )
    ),
)
# [/directory]
