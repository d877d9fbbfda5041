"""Who does what nobody has done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from airflow.providers.apache.kafka.queues.kafka import KafkaMessageQueueProvider
from airflow.providers.common.messaging.providers.base_provider import BaseMessageQueueProvider
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = """
from airflow.providers.common.messaging.providers.base_provider import BaseMessageQueueProvider
from airflow.triggers.base import BaseEventTrigger, TriggerEvent


class Bell(BaseEventTrigger):
    def __init__(self, door):
        super().__init__()
        self.door = door

    def serialize(self):
        return "ledger_bell.Bell", {"door": self.door}

    async def run(self):
        yield TriggerEvent("ring")


class BellProvider(BaseMessageQueueProvider):
    scheme = "bell"

    def trigger_class(self):
        return Bell


def get_provider_info():
    return {"package-name": "ledger-bell", "name": "Bell", "description": "Rings.",
            "queues": ["ledger_bell.BellProvider"]}
"""
ASK = """
from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
print(MessageQueueTrigger(scheme="bell", door="front").serialize())
"""
FREE = ("nats", "rabbitmq", "mqtt", "pulsar")


def test_trigger_is_not_hard(tmp_path: Path) -> None:
    """A package of one file, installed as an installer would lay it out, and found by Airflow."""
    (tmp_path / "ledger_bell.py").write_text(PACKAGE)
    info = tmp_path / "ledger_bell-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ledger-bell\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = ledger_bell:get_provider_info\n")
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout.strip().endswith("('ledger_bell.Bell', {'door': 'front'})"), asked.stderr


def test_kafka_as_model() -> None:
    assert KafkaMessageQueueProvider.__module__ == "airflow.providers.apache.kafka.queues.kafka"
    assert BaseMessageQueueProvider.__abstractmethods__ == {"trigger_class"}
    own = {name for name in vars(KafkaMessageQueueProvider) if not name.startswith("_")}
    assert own == {"scheme", "queue_matches", "trigger_class", "trigger_kwargs"}


def test_be_the_nobody() -> None:
    for scheme in FREE:
        with pytest.raises(ValueError, match=f"The scheme '{scheme}' is not recognized"):
            MessageQueueTrigger(scheme=scheme).serialize()
    names = [re.split(r"[^\w-]", one)[0] for one in metadata.requires("apache-airflow") or []]
    providers = [name for name in names if name.startswith("apache-airflow-providers-")]
    assert "apache-airflow-providers-apache-kafka" in providers
    assert not [name for name in providers if any(scheme in name for scheme in FREE)], "nor among those not installed"
