"""Lab 05 beyond its notebook: Redis as a part, publishing to three brokers, the exercises, what is said of mistakes."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from driver import until
from test_use import marks

from labkit import config, verify
from labkit.airflow.api import Api
from labkit.brokers import redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driver import Checkout

LAB = config.lab("05")
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012"

HEAD = """
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher
"""
BODY = """
NAME = Asset("NAME", watchers=[AssetWatcher(name="NAME", trigger=MessageQueueTrigger(ARGUMENTS))])
with DAG("NAME", schedule=NAME, catchup=False):
    EmptyOperator(task_id="done")
"""
AT_PARSE_TIME = {
    "unknown_scheme": ('scheme="nats"', "No package that we know of has a scheme nats", "沒有 nats 這個 scheme"),
    "no_package": (
        'scheme="google+pubsub"',
        "comes with the package apache-airflow-providers-google, which is not installed",
        "由套件 apache-airflow-providers-google 提供，這裡沒有安裝",
    ),
    "wrong_argument": ('scheme="kafka", topic="x"', "has no argument `topic`", "沒有 `topic` 這個參數"),
}
IN_THE_TRIGGERER = {
    "no_connection": (
        'scheme="kafka", topics=["points"], kafka_config_id="nobodys"',
        "No connection has the id nobodys",
        "沒有 id 為 nobodys 的連線",
    ),
    "no_aws_connection": (
        f'scheme="sqs", sqs_queue="{QUEUE}/takeaway", aws_conn_id="nobodys"',
        "Most often the connection id is wrong",
        "多半是連線 id 寫錯了",
    ),
    "no_topic": (
        'scheme="kafka", topics=["no_such_topic"], kafka_config_id="kafka_again"',
        "Kafka has no such topic",
        "Kafka 沒有這個主題",
    ),
    "no_queue": (
        f'scheme="sqs", sqs_queue="{QUEUE}/no_such_queue", aws_conn_id="tea_aws"',
        "SQS has no such queue",
        "SQS 沒有這個佇列",
    ),
    "no_broker": (
        'scheme="redis+pubsub", channels=["points"], redis_conn_id="lab05_far"',
        "Nobody answers at 127.0.0.1:1",
        "127.0.0.1:1 沒有人回應",
    ),
    "no_kafka": (
        'scheme="kafka", topics=["points"], kafka_config_id="lab05_far_kafka"',
        "A Kafka client in the triggerer goes on asking for a broker at 127.0.0.1:1",
        "觸發者裡有個 Kafka 客戶端一直在找位於 127.0.0.1:1 的訊息代理",
    ),
}
"""Name → arguments, and what `status` says in English and in Chinese."""


@pytest.fixture
def solved(running: Checkout) -> Iterator[Checkout]:
    """Lab 05's solution in place, its Dag un-paused, both servers there; the exercise comes back afterwards."""
    for part in ("aws", "redis"):
        running.stack.serve(part)
    running.lab("reset", "05", "--solution", "--yes")
    switch(running, "take_order", paused=False)
    yield running
    running.lab("reset", "05", "--yes")


def switch(checkout: Checkout, dag: str, *, paused: bool) -> None:
    with checkout.stack.metadata() as metadata, Api(checkout.stack.state) as api:
        until(lambda: dag in metadata.dags(), "the Dag to be parsed", 90)
        api.set_paused(dag, paused=paused)
        api.reparse(dag)


def payloads(checkout: Checkout, dag: str) -> list[Any]:
    """Return what runs of the Dag succeeded on."""
    with checkout.stack.metadata() as metadata:
        return metadata.succeeded_payloads(dag)


def order(number: int) -> str:
    return json.dumps({"order_id": number, "cups": 2})


def likeness(value: Any) -> Any:
    """Return the shape of a payload: the keys and kinds, without the words."""
    if isinstance(value, dict):
        return {key: likeness(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [likeness(value[0])]
    return type(value).__name__


def test_redis_is_served_shown_and_brought_back(running: Checkout) -> None:
    running.stack.serve("redis")
    state = running.stack.state
    part = running.part("redis")
    assert (part.healthy, part.port) == (True, state.ports["redis"])
    told = running.lab("status", code=None).stdout
    assert re.search(rf"^redis +● working +{part.pid} +{part.port} ", told, re.MULTILINE)
    assert part.pid
    os.kill(part.pid, signal.SIGKILL)
    until(lambda: redis.healthy(state) and running.part("redis").pid != part.pid, "Redis to come back", 30)
    running.stack.serve("redis")  # harmless where it runs already


@pytest.mark.parametrize(
    ("language", "sqs", "unheard"),
    [("en", "SQS has it: queue takeaway, 2 sent", "Nobody was listening"), ("zh-TW", "送出 2 則", "沒有人在聽")],
)
def test_publish_says_what_became_of_a_message_on_each_broker(
    language: str, sqs: str, unheard: str, running: Checkout
) -> None:
    words = ("takeaway", order(1), "--lang", language)
    assert "takeaway" in running.lab("publish", *words).stdout
    assert sqs in running.lab("publish", *words, "--to", "sqs", "--burst", "2").stdout
    assert unheard in running.lab("publish", *words, "--to", "redis").stdout


def test_the_exercise_as_it_comes_fails_with_the_payload_that_it_fell_over(running: Checkout) -> None:
    until((running.root / "work" / LAB.name / "order_adapter.py").exists, "the exercise")
    told = running.lab("verify", "05", "exercise-adapter", code=1).stdout
    assert "`orders_in` fails on a payload of SQS" in told
    assert "message_batch" in told
    assert "Line " in running.lab("verify", "05", "exercise-scheme", code=1).stdout
    assert "paused" in running.lab("verify", "05", "exercise-run", code=1).stdout


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "`order_adapter.py` cannot be imported, line 2: SyntaxError"), ("zh-TW", "無法匯入，第 2 行：SyntaxError")],
)
def test_an_adapter_that_is_no_python_is_told_with_its_line(language: str, told: str, running: Checkout) -> None:
    file = running.root / "work" / LAB.name / "order_adapter.py"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text("def orders_in(payload):\n    return [\n", encoding="utf-8")
        assert told in running.lab("verify", "05", "exercise-adapter", "--lang", language, code=1).stdout
    finally:
        file.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return []", "of Kafka `orders_in` finds the orders [], not [1]"),
        ("return [{'order_id': 1}] if payload else []", "of SQS `orders_in` finds the orders [1], not [2, 3]"),
    ],
)
def test_an_adapter_that_loses_orders_is_told_which(body: str, told: str, running: Checkout) -> None:
    file = running.root / "work" / LAB.name / "order_adapter.py"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"def orders_in(payload):\n    {body}\n", encoding="utf-8")
        assert told in running.lab("verify", "05", "exercise-adapter", code=1).stdout
    finally:
        file.write_text(before, encoding="utf-8")


def test_the_solution_takes_orders_from_everywhere_and_real_payloads_look_like_the_samples(solved: Checkout) -> None:
    state = solved.stack.state
    until(lambda: redis.listeners(state, "takeaway"), "a listener on the channel", 90)
    before = len(payloads(solved, "take_order"))

    def send(position: int, *words: str) -> None:
        if words == ("bell",):
            (solved.root / "work" / LAB.name / "takeaway_bell").touch()
        else:
            solved.lab("publish", "takeaway", order(800 + position), *words)
        until(lambda: len(payloads(solved, "take_order")) > before + position, f"a run for {words or 'Kafka'}", 60)

    # What the exercise left in Kafka and SQS comes along: more payloads than sent, none fewer.
    for position, words in enumerate([("--to", "redis"), ("--to", "sqs"), (), ("bell",)]):
        send(position, *words)

    def passed() -> bool:
        return all(marks(solved.lab("verify", "05", step, code=None).stdout)[step] for step in steps)

    solved.lab("publish", "points", '{"points": 3}')
    steps = [step.id for step in LAB.steps if step.exercise]
    until(passed, "the exercises' checks", 60, 1)
    samples = {name: payload for name, (payload, _) in verify.module(LAB).SAMPLES.items()}
    seen = {json.dumps(likeness(payload), sort_keys=True) for payload in payloads(solved, "take_order")}
    for name, payload in samples.items():
        assert json.dumps(likeness(payload), sort_keys=True) in seen, f"{name}: {seen}"


def test_leaving_out_the_address_leaves_the_row(running: Checkout) -> None:
    file = running.root / "work" / LAB.name / "count_points.py"
    source = file.read_text(encoding="utf-8")
    new = source.replace('queue="kafka://kafka.tea.example:9092/points"', 'scheme="kafka", topics=["points"]')
    assert new != source
    with running.stack.metadata() as metadata, Api(running.stack.state) as api:

        def parse_anew() -> list[int]:
            """Have the file parsed as it is now, and return the triggers that watch."""
            before = metadata.dags()["count_points"]["last_parsed_time"]
            api.reparse("count_points")
            until(lambda: metadata.dags()["count_points"]["last_parsed_time"] > before, "the parse", 60)
            return [watcher.trigger for watcher in metadata.watchers() if watcher.asset == "points"]

        until(lambda: "count_points" in metadata.dags(), "the Dag to be parsed", 90)
        # The test before this one may have left a gap: two parses until it is closed.
        until(lambda: len(parse_anew()) == 1, "the old watcher", 90)
        before = parse_anew()
        try:
            file.write_text(new, encoding="utf-8")
            assert parse_anew() == before
            assert metadata.watcher_arguments("count_points", "points")[0]["topics"] == ["points"]
            assert "Line " not in running.lab("verify", "05", "exercise-scheme", code=None).stdout
        finally:
            file.write_text(source, encoding="utf-8")
    assert "parameter is deprecated" not in "\n".join(running.stack.log("dag-processor")), "nobody is told"


@pytest.fixture
def mistaken(running: Checkout) -> Iterator[Checkout]:
    """Dags with a mistake each, those that cannot be parsed in files of their own."""
    work = running.root / "work" / LAB.name
    state = running.stack.state
    for part in ("aws", "redis"):
        running.stack.serve(part)
    kafka = json.dumps({"bootstrap.servers": "127.0.0.1:1", "group.id": "lab05_far"})
    far: dict[str, dict[str, Any]] = {
        "lab05_far": {"conn_type": "redis", "host": "127.0.0.1", "port": 1},
        "lab05_far_kafka": {"conn_type": "kafka", "extra": kafka},
    }
    with Api(state) as api:
        for name, connection in far.items():
            api.call("POST", "connections", json={"connection_id": name, **connection})
    files = {f"{name}.py": {name: row} for name, row in AT_PARSE_TIME.items()}
    files["in_the_triggerer.py"] = IN_THE_TRIGGERER
    for file, rows in files.items():
        bodies = (BODY.replace("NAME", name).replace("ARGUMENTS", row[0]) for name, row in rows.items())
        (work / file).write_text(HEAD + "".join(bodies), encoding="utf-8")
    yield running
    for file in files:
        (work / file).unlink()
    with Api(state) as api, running.stack.metadata() as metadata:
        for name in far:
            api.call("DELETE", f"connections/{name}")
        for name in IN_THE_TRIGGERER:
            if name in metadata.dags():
                api.delete_dag(name)
        mine = IN_THE_TRIGGERER.keys()
        until(lambda: not mine & {one.asset for one in metadata.watchers()}, "the watchers to go", 60)
        until(lambda: not metadata.import_failures(), "the import errors to go", 90)


def test_each_mistake_is_told_with_its_mend_in_both_languages(mistaken: Checkout) -> None:
    rows = {**AT_PARSE_TIME, **IN_THE_TRIGGERER}

    def missing(language: str) -> list[str]:
        told = mistaken.lab("status", "--lang", language, code=None).stdout
        place = 1 if language == "en" else 2
        return [row[place] for row in rows.values() if row[place] not in told]

    until(lambda: not missing("en"), "status to tell of all", 120, 1)
    until(lambda: not missing("zh-TW"), "status to tell of all in Chinese", 60, 1)
    mistaken.lab("status", code=1)

    def untold() -> list[str]:
        told = mistaken.lab("verify", "05", "exercise-adapter", code=1).stdout
        return [english for _, english, _ in rows.values() if english not in told]

    until(lambda: not untold(), "verify to tell of all", 60, 1)
