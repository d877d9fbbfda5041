"""What chapter 05 says of the Common Message Queue, against the packages that are installed."""

from __future__ import annotations

import inspect
import warnings

import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.providers.common.messaging.providers.base_provider import BaseMessageQueueProvider
from airflow.providers.common.messaging.triggers.msg_queue import MESSAGE_QUEUE_PROVIDERS, MessageQueueTrigger
from airflow.sdk import AssetWatcher
from airflow.triggers.base import BaseEventTrigger

from labkit.airflow import complaints

SCHEMES = {provider.scheme: provider for provider in MESSAGE_QUEUE_PROVIDERS}
REDIS = {"channels": ["teas"], "redis_conn_id": "tea_redis"}
ADDRESSES = {
    "kafka": "kafka://kafka.tea.example:9092/teas",
    "sqs": "https://sqs.us-east-1.amazonaws.com/123456789012/teas",
    "kinesis": "https://kinesis.us-east-1.amazonaws.com/teas",
    "redis+pubsub": "redis+pubsub://localhost:6379/teas",
}


def defaults(scheme: str) -> dict[str, object]:
    """Return what the trigger behind a scheme takes where it is given nothing."""
    parameters = inspect.signature(SCHEMES[scheme].trigger_class().__init__).parameters
    return {name: one.default for name, one in parameters.items() if one.default is not inspect.Parameter.empty}


def test_four_schemes_are_installed_and_three_more_are_known() -> None:
    assert set(SCHEMES) == {"kafka", "sqs", "kinesis", "redis+pubsub"}
    assert len(complaints.PACKAGES) == 7
    assert set(complaints.PACKAGES) > set(SCHEMES)


@pytest.mark.parametrize(
    ("scheme", "argument", "seconds"),
    [
        ("kafka", "poll_timeout", 1),
        ("kafka", "poll_interval", 5),
        ("sqs", "waiter_delay", 60),
        ("kinesis", "waiter_delay", 10),
        ("redis+pubsub", "poll_interval", 60),
    ],
)
def test_the_pause_between_two_looks(scheme: str, argument: str, seconds: int) -> None:
    assert defaults(scheme)[argument] == seconds


def test_sqs_takes_five_at_a_time_and_deletes_them() -> None:
    found = defaults("sqs")
    assert (found["max_messages"], found["num_batches"], found["wait_time_seconds"]) == (5, 1, 1)
    assert found["delete_message_on_reception"] is True


def test_the_trigger_of_redis_gets_in_by_the_back_door_only() -> None:
    trigger_class = SCHEMES["redis+pubsub"].trigger_class()
    assert not issubclass(trigger_class, BaseEventTrigger)
    with pytest.raises(ValueError, match="must inherit BaseEventTrigger"):
        AssetWatcher(name="kiosk", trigger=trigger_class(**REDIS))
    assert AssetWatcher(name="kiosk", trigger=MessageQueueTrigger(scheme="redis+pubsub", **REDIS))


def test_two_classes_have_one_name() -> None:
    kafka, redis = (SCHEMES[scheme].trigger_class() for scheme in ("kafka", "redis+pubsub"))
    assert kafka.__name__ == redis.__name__ == "AwaitMessageTrigger"
    assert kafka is not redis


@pytest.mark.parametrize("scheme", ADDRESSES)
def test_only_kafka_and_sqs_take_an_address(scheme: str) -> None:
    takes = scheme in {"kafka", "sqs"}
    assert SCHEMES[scheme].queue_matches(ADDRESSES[scheme]) is takes
    own = type(SCHEMES[scheme]).queue_matches is not BaseMessageQueueProvider.queue_matches
    assert own is takes


def test_the_host_of_a_kafka_address_is_read_by_nobody() -> None:
    with pytest.warns(AirflowProviderDeprecationWarning, match="`queue` parameter is deprecated"):
        old = MessageQueueTrigger(
            queue=ADDRESSES["kafka"], kafka_config_id="kafka_teas", apply_function="tea_filters.as_text"
        )
    new = MessageQueueTrigger(
        scheme="kafka", topics=["teas"], kafka_config_id="kafka_teas", apply_function="tea_filters.as_text"
    )
    assert old.serialize() == new.serialize()
    assert "tea.example" not in str(old.serialize())


def test_a_kafka_address_needs_a_function_and_a_scheme_does_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = MessageQueueTrigger(queue=ADDRESSES["kafka"])
    with pytest.raises(ValueError, match="apply_function is required"):
        old.serialize()
    assert MessageQueueTrigger(scheme="kafka", topics=["teas"]).serialize()[1]["apply_function"] is None


@pytest.mark.parametrize("scheme", ["nats", "google+pubsub", "Kafka"])
def test_a_missing_package_and_a_typing_error_get_the_same_sentence(scheme: str) -> None:
    with pytest.raises(ValueError, match="is not recognized by any") as told:
        MessageQueueTrigger(scheme=scheme).serialize()
    assert str(told.value) == f"The scheme '{scheme}' is not recognized by any of the registered providers."
    assert complaints.mend(str(told.value))


def test_a_wrong_argument_is_told_by_the_class_behind() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'topic'") as told:
        MessageQueueTrigger(scheme="kafka", topic="teas").serialize()
    assert "`topic`" in complaints.mend(f"TypeError: {told.value}")
