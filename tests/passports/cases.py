"""The runs behind the passports: for each scheme, a trigger on its broker, how to send, and what the broker has left.

Names of schemes stand here because each broker is spoken to in its own way; what is read from the wheels does not
need them.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.passports import answers, servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Case:
    """One scheme on its broker.

    Attributes:
        on: What it ran against: a word that the pages translate.
        kwargs: The trigger's arguments, those that differ from the defaults with a purpose.
        publish: Sends a text.
        left: Counts the messages that the broker would still deliver to this consumer; None where it keeps none.
        ready: Tells whether the trigger is listening, where that matters.
        count: Counts the messages in a payload.
        options: More for the bench.
    """

    on: str
    kwargs: dict[str, Any]
    publish: Callable[[str], object]
    left: Callable[[], int] | None
    ready: Callable[[], bool] | None = None
    count: Callable[[Any], int] = lambda _: 1
    options: dict[str, Any] = field(default_factory=dict)


def text(number: int) -> str:
    """Return the n-th order of the tea shop, as every case sends it."""
    return json.dumps({"order": number, "tea": "oolong"})


def connect(name: str, **connection: Any) -> str:
    """Make a connection known to Airflow, in the environment."""
    os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
    return name


def _fresh(of: str) -> str:
    return f"{of}-{uuid.uuid4().hex[:8]}"


# Real ones, and moto.

_KEYS = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}


def _aws(url: str) -> str:
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    return connect("passport_aws", conn_type="aws", login="none", password="none", extra=extra)  # noqa: S106  moto asks none


@contextmanager
def sqs() -> Iterator[Callable[..., Case]]:
    """SQS on moto."""
    import boto3

    with servers.moto() as url:
        client = boto3.client("sqs", endpoint_url=url, **_KEYS)
        connection = _aws(url)

        def make(**more: Any) -> Case:
            queue = client.create_queue(QueueName=_fresh("orders"))["QueueUrl"]
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

            def left() -> int:
                found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
                return sum(int(found[name]) for name in names)

            return Case(
                "moto",
                {"sqs_queue": queue, "aws_conn_id": connection, "max_messages": 10, "waiter_delay": 1, **more},
                lambda body: client.send_message(QueueUrl=queue, MessageBody=body),
                left,
                count=lambda payload: len(payload["message_batch"]),
            )

        yield make


@contextmanager
def kinesis() -> Iterator[Callable[..., Case]]:
    """Kinesis on moto; its readers keep their place themselves, in the store that the triggerer gives them."""
    import boto3

    with servers.moto() as url:
        client = boto3.client("kinesis", endpoint_url=url, **_KEYS)
        connection = _aws(url)

        def make(**more: Any) -> Case:
            stream = _fresh("orders")
            client.create_stream(StreamName=stream, ShardCount=1)
            client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
            kwargs = {"stream_name": stream, "aws_conn_id": connection, "waiter_delay": 1}
            return Case(
                "moto",
                {**kwargs, "shard_iterator_type": "TRIM_HORIZON", **more},
                lambda body: client.put_record(StreamName=stream, Data=body.encode(), PartitionKey="tea"),
                None,
                count=lambda payload: len(payload["message_batch"]),
            )

        yield make


@contextmanager
def kafka() -> Iterator[Callable[..., Case]]:
    """A real Apache Kafka."""
    from confluent_kafka import Consumer, TopicPartition

    from labkit.brokers.client import await_groups, create_topics, publish

    with servers.kafka() as address:

        def make(**more: Any) -> Case:
            topic = _fresh("orders")
            create_topics(address, [topic])
            await_groups(address, topic)
            settings = {"bootstrap.servers": address, "group.id": topic, "enable.auto.commit": False}
            extra = {**settings, "auto.offset.reset": "earliest"}
            connection = connect(topic.replace("-", "_"), conn_type="kafka", extra=extra)

            def left() -> int:
                consumer = Consumer(settings)
                try:
                    partition = TopicPartition(topic, 0)
                    committed = consumer.committed([partition], timeout=10)[0].offset
                    _, end = consumer.get_watermark_offsets(partition, timeout=10)
                    return int(end) - max(committed, 0)
                finally:
                    consumer.close()

            return Case(
                "kafka",
                {"topics": [topic], "kafka_config_id": connection, "poll_timeout": 0.05, "poll_interval": 0.5, **more},
                lambda body: publish(address, topic, [body]),
                left,
            )

        yield make


@contextmanager
def redis() -> Iterator[Callable[..., Case]]:
    """A real Redis. Its channels keep nothing: whoever does not listen has missed it."""
    import redis as client_of_redis

    with servers.redis() as port:
        client = client_of_redis.Redis(host="127.0.0.1", port=port)
        connection = connect("passport_redis", conn_type="redis", host="127.0.0.1", port=port)

        def make(**more: Any) -> Case:
            channel = _fresh("orders")
            return Case(
                "redis",
                {"channels": [channel], "redis_conn_id": connection, "poll_interval": 0.2, **more},
                lambda body: client.publish(channel, body),
                None,
                ready=lambda: bool(dict(client.pubsub_numsub(channel))[channel.encode()]),
            )

        yield make


# Prepared answers.


@contextmanager
def pubsub() -> Iterator[Callable[..., Case]]:
    """Google Pub/Sub, prepared answers over gRPC."""
    extra = {"is_anonymous": True, "project": "tea"}
    connection = connect("passport_google", conn_type="google_cloud_platform", extra=extra)
    with answers.pubsub() as service:

        def make(**more: Any) -> Case:
            service.forget()
            kwargs = {"project_id": "tea", "subscription": "orders", "max_messages": 10, "ack_messages": True}
            return Case(
                "answers-google",
                {**kwargs, "gcp_conn_id": connection, "poke_interval": 1.0, "return_immediately": False, **more},
                service.publish,
                lambda: service.left,
                count=lambda payload: len(payload["message"]),
                options={"restarts": 1},
            )

        yield make


@contextmanager
def service_bus() -> Iterator[Callable[..., Case]]:
    """Azure Service Bus, prepared answers below the client."""
    told = "Endpoint=sb://tea.example/;SharedAccessKeyName=none;SharedAccessKey=none"
    connection = connect("passport_azure", conn_type="azure_service_bus", schema=told)
    with answers.service_bus() as service:

        def make(**more: Any) -> Case:
            service.forget()
            kwargs = {"queues": ["orders"], "azure_service_bus_conn_id": connection, "poll_interval": 0.5}
            return Case(
                "answers-azure",
                {**kwargs, "max_wait_time": 0.1, **more},
                service.publish,
                lambda: service.left,
                options={"restarts": 1},
            )

        yield make


@contextmanager
def mq() -> Iterator[Callable[..., Case]]:
    """IBM MQ, prepared answers below IBM's Python classes."""
    extra = {"queue_manager": "QM1", "channel": "DEV.APP.SVRCONN"}
    place = {"host": "127.0.0.1", "port": 1414, "login": "tea", "password": "none"}
    connection = connect("passport_mq", conn_type="ibmmq", **place, extra=extra)
    with answers.mq() as service:

        def make(**more: Any) -> Case:
            service.forget()
            return Case(
                "answers-ibm",
                # Long enough that the bench sees what a cancelled trigger does with the wait that is under way.
                {"mq_conn_id": connection, "queue_name": "ORDERS", "poll_interval": 3.0, **more},
                service.publish,
                lambda: service.left,
            )

        yield make


CASES: dict[str, Callable[..., Any]] = {
    "sqs": sqs,
    "kinesis": kinesis,
    "kafka": kafka,
    "redis+pubsub": redis,
    "google+pubsub": pubsub,
    "azure+servicebus": service_bus,
    "ibmmq": mq,
}
"""Scheme → what makes its cases."""
