"""The Common Message Queue."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import airflow.providers
import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.providers.amazon.aws.queues.kinesis import KinesisMessageQueueProvider
from airflow.providers.common.messaging.triggers.msg_queue import MESSAGE_QUEUE_PROVIDERS, MessageQueueTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseEventTrigger
from airflow.utils.deprecation_tools import DeprecatedImportWarning

SQS = "https://sqs.us-east-1.amazonaws.com/0123456789/my-queue"
KAFKA_TRIGGER = "airflow.providers.apache.kafka.triggers.await_message.AwaitMessageTrigger"
SQS_TRIGGER = "airflow.providers.amazon.aws.triggers.sqs.SqsSensorTrigger"


def event_triggers() -> dict[str, str]:
    """Return the event triggers of the installed providers: class name → its provider."""
    out = {}
    for folder in map(Path, airflow.providers.__path__):
        for file in folder.rglob("triggers/*.py"):
            if not re.search("EventTrigger|MessageQueueTrigger", file.read_text(encoding="utf-8")):
                continue  # most triggers, and importing them all takes seconds
            provider, _, module = ".".join(file.relative_to(folder).with_suffix("").parts).partition(".triggers.")
            name = f"airflow.providers.{provider}.triggers.{module}"
            for each in vars(importlib.import_module(name)).values():
                if inspect.isclass(each) and issubclass(each, BaseEventTrigger) and each.__module__ == name:
                    out[each.__name__] = provider
    return out


def test_events_that_aip_82_names() -> None:
    assert event_triggers() == {
        "SqsSensorTrigger": "amazon.aws",
        "KinesisTrigger": "amazon.aws",
        "DynamoDBValueSensorTrigger": "amazon.aws",
        "AwaitMessageTrigger": "apache.kafka",
        "KafkaMessageQueueTrigger": "apache.kafka",
        "KafkaSharedStreamTrigger": "apache.kafka",
        "MessageQueueTrigger": "common.messaging",
        "HttpEventTrigger": "http",
        "FileDeleteTrigger": "standard",
        "DirectoryFileDeleteTrigger": "standard",
    }


def test_one_trigger_for_all_queues() -> None:
    kafka = MessageQueueTrigger(scheme="kafka", topics=["orders"])
    sqs = MessageQueueTrigger(scheme="sqs", sqs_queue=SQS)
    assert type(kafka) is type(sqs)
    assert [each.serialize()[0] for each in (kafka, sqs)] == [KAFKA_TRIGGER, SQS_TRIGGER], "stored: the provider's own"


def test_queue_parameter() -> None:
    with pytest.warns(AirflowProviderDeprecationWarning, match="The `queue` parameter is deprecated"):
        old = MessageQueueTrigger(queue=SQS)
    assert old.serialize() == MessageQueueTrigger(scheme="sqs", sqs_queue=SQS).serialize(), "it still works"
    with pytest.raises(ValueError, match="Either `queue` or `scheme` parameter must be provided"):
        MessageQueueTrigger()


def test_uri_picks_the_provider() -> None:
    assert not KinesisMessageQueueProvider().queue_matches("https://kinesis.us-east-1.amazonaws.com/orders")
    with pytest.warns(AirflowProviderDeprecationWarning):
        nobodys = MessageQueueTrigger(queue="redis://localhost/orders")
    with pytest.raises(ValueError, match="queue 'redis://localhost/orders' is not recognized by any"):
        nobodys.serialize()
    assert MessageQueueTrigger(scheme="kinesis", stream_name="orders").serialize()[0].endswith(".KinesisTrigger")


def test_import_of_dag() -> None:
    module = importlib.import_module("airflow.models.dag")
    with pytest.warns(DeprecatedImportWarning, match="import it from 'airflow.sdk'"):
        old = module.DAG
    assert old is DAG


def test_other_imports() -> None:
    from airflow.sdk.definitions.asset import Asset as LongAsset
    from airflow.sdk.definitions.asset import AssetWatcher as LongWatcher

    assert (LongAsset, LongWatcher) == (Asset, AssetWatcher)
    assert EmptyOperator.__module__ == "airflow.providers.standard.operators.empty"


def test_message_queue_trigger_watches() -> None:
    assert issubclass(MessageQueueTrigger, BaseEventTrigger)
    assert AssetWatcher(name="kafka", trigger=MessageQueueTrigger(scheme="kafka", topics=["orders"]))


def test_for_event_scheduling_only() -> None:
    with pytest.raises(TaskDeferred) as deferred:
        EmptyOperator(task_id="task").defer(
            trigger=MessageQueueTrigger(scheme="kafka", topics=["orders"]), method_name="execute_complete"
        )
    assert isinstance(deferred.value.trigger, MessageQueueTrigger), "a task can wait with it, too"


def test_amazon_implements_it() -> None:
    schemes = {each.scheme for each in MESSAGE_QUEUE_PROVIDERS if ".amazon." in type(each).__module__}
    assert schemes == {"sqs", "kinesis"}


def test_kafka_implements_it() -> None:
    (kafka,) = (each for each in MESSAGE_QUEUE_PROVIDERS if ".kafka." in type(each).__module__)
    assert kafka.scheme == "kafka"
    assert issubclass(kafka.trigger_class(), BaseEventTrigger), "it was not, once"
