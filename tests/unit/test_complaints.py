"""What the triggerer's log says of failing watchers, and what mends it; the lines are those of Airflow 3.3.2."""

from __future__ import annotations

import datetime as dt

import pytest

from labkit.airflow import complaints
from labkit.airflow.metadata import Watcher
from labkit.i18n import LANGUAGES, Language, use

WATCHERS = [
    Watcher("points", "points_on_kafka", 12, "x.AwaitMessageTrigger", 3),
    Watcher("takeaway", "by_sqs", 14, "x.SqsSensorTrigger", 3),
]
DETAIL = " [airflow.jobs.triggerer_job_runner] error_detail=[{'exc_type': 'X', 'frames': []}]"


def line(trigger: int, error: str, *, seconds_ago: float = 1) -> str:
    """Return a line as the triggerer writes it."""
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_ago)
    stamp = at.isoformat().replace("+00:00", "Z")
    return f"{stamp} [error    ] Trigger ID {trigger} exited with error {error}{DETAIL}"


def asking(address: str, *, seconds_ago: float) -> str:
    stamp = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")
    return (
        f"{stamp} [error    ] %3|1795594318.351|FAIL|rdkafka#consumer-15| [thrd:{address}/bootstrap]: "
        f"{address}/bootstrap: Connect to ipv4#{address} failed: Connection refused (after 0ms in state CONNECT) "
        "[task.stderr]"
    )


def test_a_watcher_that_fails_is_named_with_its_last_words_and_how_often() -> None:
    lines = [line(12, "The conn_id `a` isn't defined", seconds_ago=3), line(12, "The conn_id `b` isn't defined")]
    (one,) = complaints.recent(lines, WATCHERS)
    assert (one.asset, one.watcher, one.error, one.count) == (
        "points", "points_on_kafka", "The conn_id `b` isn't defined", 2,
    )  # fmt: skip


def test_who_failed_long_ago_is_well_and_who_is_gone_is_past() -> None:
    lines = [line(12, "x", seconds_ago=100), line(99, "y"), "no such line", "", "2026- [error] Trigger ID"]
    assert complaints.recent(lines, WATCHERS) == []


def test_a_line_of_a_tasks_trigger_is_none_of_ours() -> None:
    text = line(12, "x").replace("ID 12", "dag/run/task/-1/1 (ID 12)")
    assert complaints.read([text], WATCHERS) == []


def test_a_kafka_client_that_asks_in_vain_is_told_by_its_address_as_long_as_it_asks() -> None:
    lines = [asking("127.0.0.1:1", seconds_ago=2), asking("kafka.tea.example:9092", seconds_ago=60)]
    assert complaints.unheard(lines) == ["127.0.0.1:1"]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("SerializationError: Failed to serialize DAG 'x': The scheme 'nats' is not recognized by any", "ibmmq"),
        ("The scheme 'ibmmq' is not recognized by any of the registered", "apache-airflow-providers-ibm-mq"),
        ("ValueError: The queue 'redis://x/y' is not recognized by any", "redis://x/y"),
        ("AwaitMessageTrigger.__init__() got an unexpected keyword argument 'topic'", "`topic`"),
        ("The conn_id `nobodys` isn't defined", "nobodys"),
        ("You must specify a region.", "AWS"),
        ('Error: KafkaError{code=UNKNOWN_TOPIC_OR_PART,val=3,str="Subscribed topic not available: x"}', "Kafka"),
        ("An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the", "SQS"),
        ('Could not connect to the endpoint URL: "http://127.0.0.1:1/"', "127.0.0.1:1"),
        ("Error 111 connecting to 127.0.0.1:1. Connection refused.", "127.0.0.1:1"),
        ("Error -2 connecting to redis.tea.example:6379. Name or service not known.", "redis.tea.example:6379"),
        ("WRONGPASS invalid username-password pair", ""),
        ("Authentication required.", ""),
        ("No module named 'tea_filter'", "tea_filter"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_known_has_its_mend_in_both_languages(error: str, named: str, language: Language) -> None:
    use(language)
    told = complaints.mend(error)
    assert told
    assert named in told


def test_what_is_not_known_has_none() -> None:
    assert complaints.mend("ZeroDivisionError: division by zero") == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_complaint_is_told_with_watcher_asset_and_count(language: Language) -> None:
    use(language)
    (one,) = complaints.read([line(14, "x")], WATCHERS)
    for word in ("by_sqs", "takeaway", "1"):
        assert word in one.told()
