"""Speaks to any Kafka broker, real or mock: topics, health, publishing."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import tenacity

from labkit.brokers import Message
from labkit.errors import LabError
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PATIENCE = 30.0
"""Seconds until a broker that does not answer is given up."""


_RECONNECT: dict[str, Any] = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}
"""On this machine a broker that is coming up is asked again soon."""


def _quiet(*_: object) -> None:
    """Take librdkafka's complaints of a broker that is not up yet; we wait for it and say what matters."""


def _admin(bootstrap: str) -> Any:
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415  a shared library that most commands do not need

    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "error_cb": _quiet, "log_level": 0}
    return AdminClient(settings | _RECONNECT)


def healthy(bootstrap: str, *, timeout: float = 2.0) -> bool:
    """Tell whether the broker answers a request for its metadata within `timeout` seconds."""
    from confluent_kafka import KafkaException  # noqa: PLC0415

    try:
        return bool(_admin(bootstrap).list_topics(timeout=timeout).brokers)
    except KafkaException:
        return False


def await_groups(bootstrap: str, topic: str) -> None:
    """Wait until the broker serves consumer groups.

    A new broker makes its topic for offsets when the first group asks for its place. Asked for now, the first
    watcher need not wait for it. A consumer looks for its coordinator only every half second, so each question is
    a new one's. (An administrator's would be the simpler question, but librdkafka 2.16 can die of the answer that the
    coordinator is not there yet: its issue 5040, a segmentation fault for 10 of 120 new brokers.)

    Raises:
        LabError: It does not within the time allowed.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: PLC0415

    def ask() -> None:
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "lab", "log_level": 0, "error_cb": _quiet})
        try:
            consumer.committed([TopicPartition(topic, 0)], timeout=0.2)
        finally:
            consumer.close()

    wait = tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_exception_type(KafkaException),  # the coordinator is still coming up
        reraise=True,
    )
    try:
        wait(ask)
    except KafkaException as error:
        raise LabError("kafka.no_answer", address=bootstrap, details=str(error)) from error


def ask_for_producer_ids(bootstrap: str) -> Any:
    """Have a new broker get its first block of producer ids, which takes it a moment; does not wait for it.

    Returns:
        What asks; it does so as long as it lives.
    """
    from confluent_kafka import Producer  # noqa: PLC0415

    return Producer(
        {"bootstrap.servers": bootstrap, "enable.idempotence": True, "error_cb": _quiet, "log_level": 0} | _RECONNECT
    )


def members(bootstrap: str, groups: Sequence[str]) -> dict[str, int]:
    """Return for each consumer group how many of its members have been given a partition.

    Only an administrator can ask this. librdkafka's issue 5040, for which `await_groups` asks as a consumer, is not met
    here: it is the answer to a question for offsets (`rd_kafka_handle_OffsetFetch`) that kills, and this asks for none.

    Raises:
        LabError: The broker does not answer; a stand-in does not know the question.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415

    admin = _admin(bootstrap)  # named: its answers come only as long as it lives
    try:
        told = admin.describe_consumer_groups(list(groups), request_timeout=10)
        described = {name: future.result() for name, future in told.items()}
    except KafkaException as error:
        raise LabError("kafka.no_answer", address=bootstrap, details=str(error)) from error
    return {
        name: sum(1 for member in group.members if member.assignment and member.assignment.topic_partitions)
        for name, group in described.items()
    }


@contextlib.contextmanager
def _consumer(bootstrap: str, group: str) -> Iterator[Any]:
    """Have a consumer of a group that commits nothing by itself, and say it plainly when the broker does not answer."""
    from confluent_kafka import Consumer, KafkaException  # noqa: PLC0415

    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False}
    consumer = Consumer({**settings, "error_cb": _quiet, "log_level": 0})
    try:
        yield consumer
    except KafkaException as error:
        raise LabError("kafka.no_answer", address=bootstrap, details=str(error)) from error
    finally:
        consumer.close()


def skip_to_end(bootstrap: str, group: str, topic: str) -> None:
    """Have a group without members go on at the end of a topic: what was sent before is not read again.

    Raises:
        LabError: The broker does not answer, or the group has members.
    """
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    with _consumer(bootstrap, group) as consumer:
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_PATIENCE)
        consumer.commit(offsets=[TopicPartition(topic, 0, high)], asynchronous=False)


@dataclass(frozen=True)
class Letter:
    """A message as it lies on a topic.

    Attributes:
        offset: Its place.
        value: What was sent, None where that was nothing.
        headers: What came with it.
    """

    offset: int
    value: bytes | None
    headers: dict[str, str]


def letters(bootstrap: str, topic: str, since: int = 0) -> list[Letter]:
    """Return what lies on a topic of one partition, and leave it there.

    Args:
        bootstrap: The broker's address.
        topic: Which one.
        since: The first offset that counts.

    Raises:
        LabError: The broker does not answer.
    """
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    with _consumer(bootstrap, "lab") as consumer:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_PATIENCE)
        begin = max(low, since)
        consumer.assign([TopicPartition(topic, 0, begin)])
        found = consumer.consume(high - begin, timeout=_PATIENCE) if high > begin else []
    return [_letter(one) for one in found]


def _letter(message: Any) -> Letter:
    headers = {key: value.decode() for key, value in message.headers() or []}
    return Letter(message.offset(), message.value(), headers)


def end(bootstrap: str, topic: str) -> int:
    """Return the offset that a topic's next message will have.

    Raises:
        LabError: The broker does not answer.
    """
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    with _consumer(bootstrap, "lab") as consumer:
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_PATIENCE)
    return int(high)


def committed(bootstrap: str, group: str, topic: str) -> int:
    """Return the offset that a group goes on at, 0 where it has committed none.

    Raises:
        LabError: The broker does not answer.
    """
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    with _consumer(bootstrap, group) as consumer:
        (place,) = consumer.committed([TopicPartition(topic, 0)], timeout=_PATIENCE)
    return max(0, int(place.offset))


def create_topics(bootstrap: str, topics: Iterable[str]) -> None:
    """Wait until the broker answers and make the topics that are missing, one partition each.

    Raises:
        LabError: The broker did not answer in time, or refused a topic.
    """
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # noqa: PLC0415  exported, not declared

    admin = _admin(bootstrap)
    wait = tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(KafkaException),
        reraise=True,
    )
    try:
        existing = wait(admin.list_topics, timeout=1).topics
        wanted = [NewTopic(name, 1) for name in topics if name not in existing]
        for made in admin.create_topics(wanted, operation_timeout=10).values() if wanted else ():
            with contextlib.suppress(_AlreadyThereError):
                _finish(made, KafkaException, KafkaError)
    except KafkaException as error:
        raise LabError("kafka.no_answer", address=bootstrap, details=str(error)) from error


class _AlreadyThereError(Exception):
    """Another `start` made the topic first."""


def _finish(made: Any, exception: type[Exception], codes: Any) -> None:
    try:
        made.result()
    except exception as error:
        if error.args[0].code() == codes.TOPIC_ALREADY_EXISTS:
            raise _AlreadyThereError from error
        raise


def publish(bootstrap: str, topic: str, values: Sequence[str | bytes]) -> list[Message]:
    """Send the values in order; returns when the broker has acknowledged all of them.

    Raises:
        LabError: Not all were acknowledged; the message tells how many were, and the rest were not sent twice.
    """
    sender = Sender(bootstrap)
    for value in values:
        sender.send(topic, value)
    return sender.finish()


class _IdNews(logging.Handler):
    """Hears from an idempotent producer's log when it has its id.

    librdkafka 2.16, `rd_kafka_idemp_set_state` in `src/rdkafka_idempotence.c`: "Idempotent producer state change
    WaitPID -> Assigned". A test with a real broker sees that it still says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.there = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        self.there = self.there or record.getMessage().endswith("-> Assigned")


class Sender:
    """Sends messages to a broker and collects what it acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        from confluent_kafka import KafkaException, Producer  # noqa: PLC0415

        self._bootstrap = bootstrap
        self._done: list[Message] = []
        self._failed = ""
        self._count = 0
        self._id = _IdNews()
        log = logging.Logger(__name__)  # noqa: LOG001  without a parent: its lines go nowhere else
        log.addHandler(self._id)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                # Acknowledged means written by every replica, and a retry does not write twice.
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "message.timeout.ms": int(_PATIENCE * 1000),
                **_RECONNECT,
                "error_cb": _quiet,
                # A producer tells of its id in its log, once; its statistics would tell for as long as it lives.
                "debug": "eos",
                "log_level": 7,
            },
            logger=log,
        )

        # An idempotent producer asks for its id when it first meets a broker; if a message waits already, or the
        # broker has none yet, it looks again only after half a second.
        with contextlib.suppress(KafkaException):
            self._producer.list_topics(timeout=_PATIENCE)
        with contextlib.suppress(TimeoutError):
            until(self._has_id, seconds=_PATIENCE, pause=0)

    def _has_id(self) -> bool:
        self._producer.poll(0.01)
        return self._id.there

    def send(self, topic: str, value: str | bytes) -> None:
        """Hand one value over; it is on its way when this returns."""
        self._count += 1
        self._producer.produce(topic, value, on_delivery=self._delivered)
        self._producer.poll(0)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed = str(error)
            return
        _, milliseconds = message.timestamp()
        when = datetime.fromtimestamp(milliseconds / 1000, UTC)
        text = message.value().decode(errors="backslashreplace")
        self._done.append(Message(message.topic(), text, message.partition(), message.offset(), when))

    def finish(self) -> list[Message]:
        """Wait for all acknowledgements and return what was acknowledged, in order."""
        self._producer.flush(_PATIENCE + 1)
        if len(self._done) < self._count:
            raise LabError(
                "kafka.not_acknowledged",
                done=len(self._done),
                count=self._count,
                address=self._bootstrap,
                details=self._failed,
            )
        return sorted(self._done, key=lambda one: (one.topic, one.partition, one.offset))
