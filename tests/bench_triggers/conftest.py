"""Airflow in a temporary home before any of these tests imports it, and the servers that its triggers ask."""

from __future__ import annotations

import asyncio
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

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from airflow.configuration import conf
from botocore import UNSIGNED

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
def service_models() -> None:
    """Have botocore's descriptions of S3 and SQS read once.

    It reads them in the event loop: on a disk that has never been asked for them, that blocked the loop for 1 to 5 s.
    The verdicts are about the triggers, and the same on every machine only if that is behind us.
    """
    anonymous = AioConfig(signature_version=UNSIGNED)

    async def open_clients() -> None:
        for service in ("s3", "sqs"):
            async with get_session().create_client(service, region_name="us-east-1", config=anonymous):
                pass

    asyncio.run(open_clients())


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, service_models: None) -> Iterator[providers.World]:
    """A folder, an HTTP server, moto and a mock of Kafka."""
    with ExitStack() as stack:
        world = providers.World(tmp_path_factory.mktemp("world"))
        world.http = stack.enter_context(providers.http_server())
        world.aws = stack.enter_context(providers.aws_server())
        world.kafka = providers.MockKafka()
        yield world
