"""What the triggers' arguments do: how long a message waits, which messages count, whether a message is done with."""

from __future__ import annotations

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

# [slow]
PAUSE = 8  # seconds; the defaults are 5, 60 and 60

slow = {
    "slow_kafka": MessageQueueTrigger(
        scheme="kafka", topics=["slow_orders"], kafka_config_id="kafka_slow", poll_timeout=0.05, poll_interval=PAUSE
    ),
    "slow_sqs": MessageQueueTrigger(
        scheme="sqs",
        sqs_queue="https://sqs.us-east-1.amazonaws.com/123456789012/slow_orders",
        aws_conn_id="tea_aws",
        waiter_delay=PAUSE,
    ),
    "slow_redis": MessageQueueTrigger(
        scheme="redis+pubsub", channels=["slow_orders"], redis_conn_id="tea_redis", poll_interval=PAUSE
    ),
}
# [/slow]

# [apply]
party = MessageQueueTrigger(
    scheme="kafka",
    topics=["party_orders"],
    kafka_config_id="kafka_party",
    apply_function="tea_filters.big_order",
    apply_function_kwargs={"least": 10},
    poll_timeout=0.05,
    poll_interval=2,
)
# [/apply]

# [again]
again = MessageQueueTrigger(
    scheme="kafka",
    topics=["again_orders"],
    kafka_config_id="kafka_again",
    poll_timeout=0.05,
    commit_offset=False,
)
# [/again]

for name, trigger in {**slow, "big_party": party, "ever_again": again}.items():
    asset = Asset(name, watchers=[AssetWatcher(name=name, trigger=trigger)])
    with DAG(name, schedule=asset, catchup=False, is_paused_upon_creation=True, tags=["lab-05"]):
        EmptyOperator(task_id="done")
