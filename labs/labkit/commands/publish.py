"""`lab publish`: sends JSON to a topic, a queue or a channel, one message or a burst, and says what became of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from labkit import arrivals, config, session
from labkit.brokers import moto, redis
from labkit.brokers.client import Sender
from labkit.cli import Command, Range
from labkit.errors import usage_error
from labkit.i18n import t
from labkit.trace import as_text
from labkit.ui import console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labkit.stack import Stack


@click.command("publish", cls=Command)
@click.argument("topic")
@click.argument("value", metavar="JSON")
@click.option("--to", type=click.Choice(["kafka", "sqs", "redis"]), default="kafka")
@click.option("--burst", type=click.IntRange(1, 100_000), default=1)
@click.option("--rate", type=Range(0.01, 100_000), default=None)
@click.option("--seed", type=int, default=None)
def command(topic: str, value: str, *, to: str, burst: int, rate: float | None, seed: int | None) -> None:  # noqa: PLR0913  one for each option
    """Publish messages."""
    table = parse(value)
    stack = session.having(config.find_place(to, topic))
    if burst > 1 and "seq" not in table:
        table = {**table, "seq": 0}
    texts = (
        as_text({**table, "seq": position + 1} if burst > 1 else table)
        for position in (arrivals.paced(arrivals.poisson(burst, rate, seed)) if rate else range(burst))
    )
    {"kafka": _to_kafka, "sqs": _to_sqs, "redis": _to_redis}[to](stack, topic, texts)


def _to_kafka(stack: Stack, topic: str, texts: Iterable[str]) -> None:
    sender = Sender(stack.state.bootstrap)
    for text in texts:
        sender.send(topic, text)
    messages = sender.finish()
    last = messages[-1]
    if len(messages) == 1:
        console.print(t("publish.one", topic=last.topic, partition=last.partition, offset=last.offset))
    else:
        console.print(t("publish.many", count=len(messages), topic=topic, first=messages[0].offset, last=last.offset))
    console.print(f"[dim]{t('publish.next')}[/]")


def _to_sqs(stack: Stack, queue: str, texts: Iterable[str]) -> None:
    stack.serve(moto.NAME)
    ids = [moto.publish(stack.state, queue, [text])[0] for text in texts]
    console.print(t("publish.sqs", count=len(ids), queue=queue, last=ids[-1]))
    console.print(f"[dim]{t('publish.next')}[/]")


def _to_redis(stack: Stack, channel: str, texts: Iterable[str]) -> None:
    stack.serve(redis.NAME)
    heard = [redis.publish(stack.state, channel, [text])[0] for text in texts]
    console.print(t("publish.redis", count=len(heard), channel=channel, heard=sum(map(bool, heard))))
    if not all(heard):
        console.print(f"[yellow]![/] {t('publish.unheard', count=heard.count(0))}")
    if any(heard):
        console.print(f"[dim]{t('publish.next')}[/]")


_JSON = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def parse(text: str) -> dict[str, Any]:
    """Return the JSON object of a message.

    Raises:
        LabError: It is no JSON, not an object, or holds what Airflow's database cannot store.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise usage_error("publish.no_json", place=error.colno, reason=error.msg, text=text[:60]) from error
    except (RecursionError, ValueError) as error:  # nested too deep, a number with thousands of digits
        raise usage_error("publish.no_json", place=1, reason=type(error).__name__, text=text[:60]) from error
    if not isinstance(value, dict):
        raise usage_error("publish.no_object", kind=t(f"json.{_JSON[type(value)]}"))
    _storable(value)
    return value


def _storable(value: Any, place: str = "") -> None:
    """Raise for what PostgreSQL's JSON refuses: NaN and infinities, the character U+0000, half a character."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _storable(key, place)
            _storable(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _storable(inner, f"{place}[{position}]")
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, str) and not _is_text(value)):
        raise usage_error("publish.not_storable", place=place or "?", value=ascii(value))


def _is_text(value: str) -> bool:
    """Tell whether PostgreSQL takes this for text: no U+0000, no surrogate without its other half."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
