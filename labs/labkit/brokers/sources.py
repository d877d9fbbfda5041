"""Where messages come from, as an experiment needs them: one way to send, to begin afresh, to see that all is read."""

from __future__ import annotations

import datetime as dt
import functools
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labkit import paths
from labkit.brokers import client, moto, redis

if TYPE_CHECKING:
    from labkit.stack.state import State

WITHOUT = Path(__file__).with_name("without.toml")


@functools.cache
def without() -> dict[str, dict[str, dict[str, str]]]:
    """Return the faults that show nothing of a source, or what is not so: kind of source → fault → why, by language."""
    found: dict[str, Any] = tomllib.loads(WITHOUT.read_text(encoding="utf-8"))
    return found


class Source(Protocol):
    """A topic, a queue, a channel or a folder."""

    part: str
    """The part of the stack that it lives in; empty where that is none of the stack's."""

    def forget(self) -> None:
        """Have nobody read what was sent before; nobody listens now."""
        ...

    def has_readers(self) -> bool:
        """Tell whether somebody reads, as far as the source knows its readers."""
        ...

    def can_send(self) -> bool:
        """Tell whether a message that is sent now can be read."""
        ...

    def send(self, text: str) -> dt.datetime:
        """Send a message; returns when it was taken."""
        ...

    def is_taken(self) -> bool:
        """Tell whether nothing waits for somebody to take it, as far as the source shows that (`Target.behind`)."""
        ...

    def is_read(self) -> bool:
        """Tell whether nothing is left to be read."""
        ...

    def clear(self) -> None:
        """Take away what would lie about afterwards; somebody may still watch."""
        ...


class Topic:
    """A Kafka topic of one partition, and the consumer group that reads it."""

    part = "kafka"

    def __init__(self, state: State, name: str, group: str) -> None:
        self._bootstrap, self._name, self._group = state.bootstrap, name, group

    def forget(self) -> None:
        """Have the group go on at the end."""
        client.skip_to_end(self._bootstrap, self._group, self._name)

    def has_readers(self) -> bool:
        """Tell whether a member of the group has been given the partition."""
        return bool(client.members(self._bootstrap, [self._group])[self._group])

    def can_send(self) -> bool:
        """Tell the truth about Kafka: it keeps what nobody reads yet."""
        return True

    def send(self, text: str) -> dt.datetime:
        """Send a message; returns the broker's time stamp."""
        (message,) = client.publish(self._bootstrap, self._name, [text])
        return message.produced_at

    def is_taken(self) -> bool:
        """Tell whether the group has committed the topic's end: who commits before the event shows it so."""
        return self.is_read()

    def is_read(self) -> bool:
        """Tell whether the group has committed the topic's end."""
        return client.committed(self._bootstrap, self._group, self._name) >= client.end(self._bootstrap, self._name)

    def clear(self) -> None:
        """Do nothing: nothing lies about."""


class Queue:
    """A queue of SQS, in what stands in for AWS; it forgets all when it ends."""

    part = moto.NAME

    def __init__(self, state: State, name: str, group: str) -> None:
        del group
        self._state, self._name = state, name

    def forget(self) -> None:
        """Empty the queue, those included that somebody has taken and not deleted."""
        moto.purge(self._state, self._name)

    def has_readers(self) -> bool:
        """Say yes: SQS does not know."""
        return True

    def can_send(self) -> bool:
        """Tell the truth about SQS: it keeps what nobody reads yet."""
        return True

    def send(self, text: str) -> dt.datetime:
        """Send a message; returns the time at which it was taken."""
        moto.publish(self._state, self._name, [text])
        return dt.datetime.now(dt.UTC)

    def is_taken(self) -> bool:
        """Tell whether nothing waits in the queue; what was taken and not deleted does not."""
        return moto.waiting(self._state, self._name) == 0

    def is_read(self) -> bool:
        """Tell whether the queue holds nothing, neither waiting nor taken."""
        return moto.held(self._state, self._name) == 0

    def clear(self) -> None:
        """Do nothing: nothing lies about."""


class Channel:
    """A channel of Redis: who does not listen now does not get it.

    The trigger ends with each message and is started anew. What it listened with stays for seconds where it was ended
    from outside, and would pass for a reader: so only who came after the last message is one.
    """

    part = redis.NAME

    def __init__(self, state: State, name: str, group: str) -> None:
        del group
        self._state, self._name = state, name
        self._heard = 0
        self._known = ("", 0)

    def forget(self) -> None:
        """Take those who listen now for leftovers; Redis itself has forgotten already."""
        self._known = redis.newest_listener(self._state)

    def has_readers(self) -> bool:
        """Tell whether somebody listens who came after the last message."""
        run, newest = redis.newest_listener(self._state)
        is_new = run != self._known[0] or newest > self._known[1]
        return is_new and redis.listeners(self._state, self._name) > 0

    def can_send(self) -> bool:
        """Tell whether somebody listens: the trigger does not, between two messages."""
        return self.has_readers()

    def send(self, text: str) -> dt.datetime:
        """Say it; returns the time at which it was said."""
        self._known = redis.newest_listener(self._state)
        (self._heard,) = redis.publish(self._state, self._name, [text])
        return dt.datetime.now(dt.UTC)

    def is_taken(self) -> bool:
        """Tell whether somebody got what was said last."""
        return self._heard > 0

    def is_read(self) -> bool:
        """Say yes: what was not heard is gone."""
        return True

    def clear(self) -> None:
        """Do nothing: nothing lies about."""


class Folder:
    """A folder in which a file's name is all that is told of an order: `slip-2` goes, and `order-2` is its copy."""

    part = ""

    def __init__(self, state: State, name: str, group: str) -> None:
        del state, group
        self._folder = paths.WORK / name

    def forget(self) -> None:
        """Empty the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in self._folder.iterdir():
            file.unlink(missing_ok=True)

    def has_readers(self) -> bool:
        """Say yes: a folder does not know."""
        return True

    def can_send(self) -> bool:
        """Tell whether the last one was taken: a second of its name would take its place."""
        return self.is_read()

    def send(self, text: str) -> dt.datetime:
        """Write an order's file; returns the time at which it was there."""
        number = str(json.loads(text)["order_id"]).rpartition("-")[2]
        for name in ("order", "slip"):  # the copy first: the other one is gone in no time
            (self._folder / f"{name}-{number}").write_text(text, encoding="utf-8")
        return dt.datetime.now(dt.UTC)

    def is_taken(self) -> bool:
        """Tell whether the trigger has deleted the order."""
        return self.is_read()

    def is_read(self) -> bool:
        """Tell whether no order lies there."""
        return not any(self._folder.glob("slip-*"))

    def clear(self) -> None:
        """Do nothing: the trigger deletes what it takes."""


class Notes:
    """A folder in which a file is an order, and its name the order's number; it lies there after it was told."""

    part = ""

    def __init__(self, state: State, name: str, group: str) -> None:
        del state, group
        self._folder = paths.WORK / name
        self._written: set[Path] = set()

    def forget(self) -> None:
        """Do nothing: what lies there is the learner's, and stays."""

    def has_readers(self) -> bool:
        """Say yes: a folder does not know."""
        return True

    def can_send(self) -> bool:
        """Tell the truth about a folder: it keeps what nobody looks at yet."""
        return True

    def send(self, text: str) -> dt.datetime:
        """Lay an order's note there, whole from the first moment; returns the time at which it was there."""
        note = self._folder / str(json.loads(text)["order_id"])
        draft = self._folder.with_name(f".{note.name}")
        self._written |= {draft, note}
        self._folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(note)
        return dt.datetime.now(dt.UTC)

    def is_taken(self) -> bool:
        """Say yes: a folder does not know."""
        return True

    def is_read(self) -> bool:
        """Say yes: a folder does not know what was looked at."""
        return True

    def clear(self) -> None:
        """Take our notes away, or the learner's checks would find them."""
        for file in self._written:
            file.unlink(missing_ok=True)


KINDS: dict[str, type[Topic | Queue | Channel | Folder | Notes]] = {
    "kafka": Topic,
    "sqs": Queue,
    "redis": Channel,
    "file": Folder,
    "notes": Notes,
}
"""What `lab.toml` calls them."""
