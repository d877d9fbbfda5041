"""Where the events of a trial come from, and how an event's number is found again in Airflow's payload."""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labkit.brokers import client, redis, shop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labkit.stack.state import State


class Source(Protocol):
    """Something that events are sent through. A source serves one trial; `finish` ends it."""

    def send(self, number: int) -> None:
        """Send one event."""
        ...

    def send_all(self, numbers: Sequence[int]) -> None:
        """Send many events as quickly as it goes."""
        ...

    def finish(self) -> None:
        """Return when everything is out."""
        ...

    def numbers(self, payload: Any) -> list[int]:
        """Return the numbers of the events that one asset event tells of."""
        ...


def text(number: int) -> str:
    """Return an event as the brokers get it: a small JSON object."""
    return json.dumps({"order_id": number, "drink": "oolong", "cups": 2})


def number(value: str) -> int:
    """Return the number in an event's text."""
    return int(json.loads(value)["order_id"])


class OneByOne:
    """Sends many events as it sends each."""

    def send(self, number: int) -> None:
        """Send one event."""
        raise NotImplementedError

    def send_all(self, numbers: Sequence[int]) -> None:
        """Send many events as quickly as it goes."""
        for one in numbers:
            self.send(one)


class Kafka(OneByOne):
    """A topic of one partition."""

    def __init__(self, state: State, name: str) -> None:
        self._sender = client.Sender(state.bootstrap)
        self._topic = name

    def send(self, number: int) -> None:
        """Hand one message over; it is on its way."""
        self._sender.send(self._topic, text(number))

    def finish(self) -> None:
        """Wait until the broker has acknowledged all."""
        self._sender.finish()

    def numbers(self, payload: Any) -> list[int]:
        """Read the one message, or the batch."""
        return [number(value) for value in (payload if isinstance(payload, list) else [payload])]


class Sqs:
    """A queue of moto's server."""

    def __init__(self, state: State, name: str) -> None:
        import boto3

        self._client = boto3.client(
            "sqs",
            endpoint_url=state.aws_url,
            region_name="us-east-1",
            aws_access_key_id="lab",
            aws_secret_access_key="lab",  # noqa: S106  moto takes any
        )
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]

    def send(self, number: int) -> None:
        """Send one message; the server has it when this returns."""
        self._client.send_message(QueueUrl=self._url, MessageBody=text(number))

    def send_all(self, numbers: Sequence[int]) -> None:
        """Send ten with each call: more than that AWS does not take."""
        for at in range(0, len(numbers), 10):
            entries = [{"Id": str(one), "MessageBody": text(one)} for one in numbers[at : at + 10]]
            self._client.send_message_batch(QueueUrl=self._url, Entries=entries)

    def finish(self) -> None:
        """Close the connection."""
        self._client.close()

    def numbers(self, payload: Any) -> list[int]:
        """Read the batch."""
        return [number(message["Body"]) for message in payload["message_batch"]]


class Redis(OneByOne):
    """A channel, which keeps nothing: who does not listen now misses it."""

    def __init__(self, state: State, name: str) -> None:
        self._client = redis.client(state)
        self._channel = name

    def send(self, number: int) -> None:
        """Publish one message; the server has dealt with it when this returns."""
        self._client.publish(self._channel, text(number))

    def finish(self) -> None:
        """Close the connection."""
        self._client.close()

    def numbers(self, payload: Any) -> list[int]:
        """Read the one message."""
        return [number(payload["data"])]


class Files(OneByOne):
    """Flag files, taken in turn. A file that is still there when its turn comes again carries two events as one.

    The payload does not say which event it was: a file's asset events are its lives, in order.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names
        self._lives: dict[str, list[int]] = defaultdict(list)
        self._told: dict[str, Iterator[int]] = {}
        self._count = 0

    def send(self, number: int) -> None:
        """Make the file whose turn it is."""
        name = self._names[self._count % len(self._names)]
        self._count += 1
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            self._lives[name].append(number)

    def finish(self) -> None:
        """Do nothing: a file is there at once."""

    def numbers(self, payload: Any) -> list[int]:
        """Take the next life of the file that the payload names; `True` names none, but then there is only one."""
        name = Path(payload["filepath"]).name if isinstance(payload, dict) else self._names[0]
        lives = self._told.setdefault(name, iter(self._lives[name]))
        found = next(lives, None)
        return [] if found is None else [found]


class Outbox:
    """Rows of the shop's table `stock_outbox`, as lab 04 has it."""

    TABLE = """
        CREATE TABLE IF NOT EXISTS stock_outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text, boxes int, taken_at timestamptz
        )
    """

    def __init__(self, state: State) -> None:
        import psycopg2

        shop.run(state, self.TABLE)
        place: dict[str, Any] = dict(state.shop_database)
        self._connection = psycopg2.connect(**place)
        self._connection.autocommit = True

    def send(self, number: int) -> None:
        """Insert and commit one row."""
        self.send_all([number])

    def send_all(self, numbers: Sequence[int]) -> None:
        """Insert and commit all rows at once."""
        with self._connection.cursor() as cursor:
            items = [str(one) for one in numbers]
            cursor.execute("INSERT INTO stock_outbox (item, boxes) SELECT item, 1 FROM unnest(%s) AS item", [items])

    def finish(self) -> None:
        """Close the connection."""
        self._connection.close()

    def numbers(self, payload: Any) -> list[int]:
        """Read the batch."""
        return [int(row["item"]) for row in payload["rows"]]
