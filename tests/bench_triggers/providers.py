"""Triggers of Airflow's own providers and what makes each of them fire: on real files, a real HTTP server, moto, Kafka.

Kafka is librdkafka's mock cluster and AWS is moto's server; both are asked over the wire by the clients that Airflow
uses.
"""

from __future__ import annotations

import http.server
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Case:
    """A trigger, what makes it fire, and how it is to be examined."""

    make: Callable[[], Any]
    cause: Callable[[int], object]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """The servers, as far as they were asked for, and a folder."""

    folder: Path
    http: str = ""
    aws: str = ""
    kafka: Any = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self, of: str) -> str:
        """Return a name that nothing else has."""
        return f"{of}-{next(self.numbers)}"


def connect(name: str, **connection: Any) -> str:
    """Make a connection known to Airflow, in the environment."""
    os.environ[f"AIRFLOW_CONN_{name.upper().replace('-', '_')}"] = json.dumps(connection)
    return name


# The servers.


@contextmanager
def http_server() -> Iterator[str]:
    """Serve `{"ready": …}`; POST makes it true and DELETE false."""
    ready = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ready": ready.is_set()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            ready.set()
            self.do_GET()

        def do_DELETE(self) -> None:
            ready.clear()
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def aws_server() -> Iterator[str]:
    """Serve S3 and SQS from memory: moto, a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "moto does not answer"
                assert process.poll() is None, "moto has ended"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def aws_client(world: World, service: str) -> Any:
    """Return a plain client of moto's."""
    import boto3

    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    return boto3.client(service, endpoint_url=world.aws, **keys)


def aws_connection(world: World) -> str:
    """Return the connection that the triggers use."""
    extra = {"endpoint_url": world.aws, "region_name": "us-east-1"}
    return connect("bench_aws", conn_type="aws", login="none", password="none", extra=extra)  # noqa: S106  moto asks none


class MockKafka:
    """librdkafka's mock cluster; it lives as long as the client that made it."""

    def __init__(self) -> None:
        from confluent_kafka import Producer

        self.cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
        broker = next(iter(self.cluster.list_topics(timeout=10).brokers.values()))
        self.address = f"{broker.host}:{broker.port}"

    def publish(self, topic: str, value: str) -> None:
        """Send a message; returns when it is acknowledged."""
        self.cluster.produce(topic, value)
        assert self.cluster.flush(10) == 0

    def connection(self, group: str, **more: Any) -> str:
        """Return a connection for one consumer group."""
        extra = {
            "bootstrap.servers": self.address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            # The mock waits for a member that has left until its session is over; 3 s is what it takes to begin.
            "session.timeout.ms": 4000,
            "heartbeat.interval.ms": 500,
            **more,
        }
        return connect(f"bench_{group}", conn_type="kafka", extra=extra)


# The triggers.


def file_delete(world: World) -> Case:
    from airflow.providers.standard.triggers.file import FileDeleteTrigger

    file = world.folder / world.name("flag")
    return Case(lambda: FileDeleteTrigger(str(file), poke_interval=7.0), lambda _: file.touch())


def directory_file_delete(world: World) -> Case:
    from airflow.providers.standard.triggers.file import DirectoryFileDeleteTrigger

    file = world.folder / world.name("flag")
    return Case(
        lambda: DirectoryFileDeleteTrigger(directory=str(file.parent), filename=file.name, poke_interval=7.0),
        lambda _: file.touch(),
    )


def file(world: World) -> Case:
    from airflow.providers.standard.triggers.file import FileTrigger

    file = world.folder / world.name("flag")
    return Case(lambda: FileTrigger(str(file), poke_interval=7.0), lambda _: file.touch())


def http_event(world: World) -> Case:
    import httpx
    from airflow.providers.http.triggers.http import HttpEventTrigger

    httpx.delete(world.http)
    host, _, port = world.http.removeprefix("http://").partition(":")
    connection = connect("bench_http", conn_type="http", host=host, port=int(port), schema="http")
    return Case(
        lambda: HttpEventTrigger("responses.is_ready", http_conn_id=connection, endpoint="state"),
        lambda _: httpx.post(world.http),
    )


def sqs(world: World) -> Case:
    from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger

    client = aws_client(world, "sqs")
    url = client.create_queue(QueueName=world.name("orders"))["QueueUrl"]
    connection = aws_connection(world)
    return Case(
        lambda: SqsSensorTrigger(url, aws_conn_id=connection),
        lambda n: client.send_message(QueueUrl=url, MessageBody=f"order {n}"),
    )


def message_queue(world: World) -> Case:
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    client = aws_client(world, "sqs")
    url = client.create_queue(QueueName=world.name("orders"))["QueueUrl"]
    connection = aws_connection(world)
    return Case(
        lambda: MessageQueueTrigger(scheme="sqs", sqs_queue=url, aws_conn_id=connection),
        lambda n: client.send_message(QueueUrl=url, MessageBody=f"order {n}"),
    )


def s3_key(world: World) -> Case:
    from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger

    client = aws_client(world, "s3")
    bucket = world.name("exports")
    client.create_bucket(Bucket=bucket)
    connection = aws_connection(world)
    return Case(
        lambda: S3KeyTrigger(bucket, "orders/*.csv", wildcard_match=True, aws_conn_id=connection),
        lambda n: client.put_object(Bucket=bucket, Key=f"orders/{n}.csv", Body=b"tea"),
    )


SLOW = {"real_patience": 30.0, "events": 1, "restarts": 1}
"""How a consumer is examined that waits in a thread: real seconds, and some of them until its group lets it in."""


def kafka_await(world: World) -> Case:
    from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger

    topic = world.name("orders")
    connection = world.kafka.connection(topic.replace("-", "_"), **{"enable.auto.commit": False})
    world.kafka.publish(topic, "")  # makes the topic; an empty message matches nothing
    return Case(
        lambda: AwaitMessageTrigger([topic], kafka_config_id=connection, poll_timeout=0.05, poll_interval=0.5),
        lambda n: world.kafka.publish(topic, f"order {n}"),
        SLOW,
    )


def kafka_shared(world: World) -> Case:
    from airflow.providers.apache.kafka.triggers.shared_stream import KafkaSharedStreamTrigger

    topic = world.name("orders")
    world.kafka.cluster.list_topics(topic, timeout=10)  # the mock makes what is asked for
    connection = world.kafka.connection(topic.replace("-", "_"), **{"enable.auto.commit": False})
    return Case(
        lambda: KafkaSharedStreamTrigger(topics=[topic], kafka_config_id=connection, poll_timeout=0.05),
        lambda n: world.kafka.publish(topic, f"order {n}"),
        SLOW,
    )


NEEDS = {
    "FileDeleteTrigger": (file_delete, ""),
    "DirectoryFileDeleteTrigger": (directory_file_delete, ""),
    "FileTrigger": (file, ""),
    "HttpEventTrigger": (http_event, "http"),
    "SqsSensorTrigger": (sqs, "aws"),
    "MessageQueueTrigger": (message_queue, "aws"),
    "S3KeyTrigger": (s3_key, "aws"),
    "AwaitMessageTrigger": (kafka_await, "kafka"),
    "KafkaSharedStreamTrigger": (kafka_shared, "kafka"),
}
"""Class → what makes the case, and the server that it needs."""
