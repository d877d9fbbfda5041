"""The stand-in for Kafka: it works, and nobody takes it for the real one."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from driver import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from driver import Checkout


@pytest.fixture(scope="module")
def mock(checkout: Checkout) -> Iterator[subprocess.CompletedProcess[str]]:
    """How a start with the stand-in went; its stack runs."""
    if checkout.state is not None:
        checkout.stop()
    yield checkout.lab("start", "--mock", "--no-site")
    checkout.stop()


def test_start_says_that_it_is_not_kafka(mock: subprocess.CompletedProcess[str], checkout: Checkout) -> None:
    assert "not Apache Kafka but librdkafka's mock cluster" in mock.stdout
    assert "the run is over" in mock.stdout
    assert checkout.stack.state.broker == "kafka-mock"


@pytest.mark.usefixtures("mock")
@pytest.mark.parametrize(("language", "said"), [("en", "not Apache Kafka"), ("zh-TW", "不是 Apache Kafka")])
def test_status_says_so_too(language: str, said: str, checkout: Checkout) -> None:
    until(lambda: all(part.healthy for part in checkout.stack.parts()), "every part to be well", 90)
    assert said in checkout.lab("status", "--lang", language).stdout


@pytest.mark.usefixtures("mock")
def test_an_event_goes_through(checkout: Checkout) -> None:
    checkout.send("orders", 91)
    until(lambda: checkout.handled("handle_order", 91), "the run", 90)


@pytest.mark.usefixtures("mock")
@pytest.mark.parametrize("subscribed", [True, False], ids=["while a trigger waits", "while a trigger subscribes"])
def test_a_killed_stand_in_comes_back_elsewhere_and_events_go_through_again(
    checkout: Checkout, *, subscribed: bool
) -> None:
    if not subscribed:
        # After each message the trigger subscribes anew, which takes the mock some seconds.
        checkout.send("orders", 93)
        until(lambda: checkout.handled("handle_order", 93), "the run", 90)
    before = checkout.part("kafka")
    address = checkout.stack.state.bootstrap
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: checkout.part("kafka").healthy and checkout.stack.state.bootstrap != address, "it to come back", 90)
    order = 94 + subscribed
    checkout.send("orders", order)
    until(lambda: checkout.handled("handle_order", order), "the run", 90)
