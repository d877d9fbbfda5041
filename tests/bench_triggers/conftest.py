"""Airflow in a temporary home before any of these tests imports it, and the servers that its triggers ask."""

from __future__ import annotations

import logging
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

# These two come first: the plugin gives Airflow a home, and Airflow's own imports warn of what is not ours to mend.
from labkit.bench.plugin import trigger_bench  # noqa: F401  a fixture

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import airflow.models.trigger
    import airflow.serialization.serialized_objects
    import airflow.triggers.base  # noqa: F401
    import providers

from airflow.configuration import conf

if TYPE_CHECKING:
    from collections.abc import Iterator

logging.getLogger("airflow").setLevel(logging.ERROR)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read reasons in English, whatever the machine speaks."""
    monkeypatch.setenv("LAB_LANG", "en")


@pytest.fixture(scope="session")
def threshold() -> float:
    """What Airflow itself calls blocked, in seconds."""
    return float(conf.getfloat("triggerer", "blocked_main_thread_warning_threshold"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[providers.World]:
    """A folder, an HTTP server, moto and a mock of Kafka."""
    with ExitStack() as stack:
        world = providers.World(tmp_path_factory.mktemp("world"))
        world.http = stack.enter_context(providers.http_server())
        world.aws = stack.enter_context(providers.aws_server())
        world.kafka = providers.MockKafka()
        yield world
