"""The sender of messages to Kafka: it waits for its producer's id, and for nothing longer than that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import confluent_kafka

from labkit.brokers.client import Sender

if TYPE_CHECKING:
    import logging

    import pytest


class _Producer:
    """Stands in for librdkafka's: has its id at the third look."""

    made: _Producer

    def __init__(self, settings: dict[str, Any], logger: logging.Logger) -> None:
        self.settings, self.logger, self.looks = settings, logger, 0
        _Producer.made = self

    def list_topics(self, timeout: float) -> None:
        assert timeout

    def poll(self, _: float) -> None:
        self.looks += 1
        state = "WaitPID -> Assigned" if self.looks == 3 else "RequestPID -> WaitPID"
        self.logger.debug("IDEMPSTATE [thrd:main]: Idempotent producer state change %s", state)


def test_a_sender_hears_of_its_id_and_has_no_statistics_for_as_long_as_it_sends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confluent_kafka, "Producer", _Producer)
    Sender("127.0.0.1:1")
    assert _Producer.made.looks == 3
    assert not any(name.startswith("stat") for name in _Producer.made.settings)
    assert capsys.readouterr() == ("", "")
