"""`BaseEventTrigger`: which triggers may watch, and what that keeps from happening."""

from __future__ import annotations

import asyncio
import http.server
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger
from airflow.providers.common.messaging.providers.base_provider import BaseMessageQueueProvider
from airflow.providers.common.messaging.triggers import msg_queue
from airflow.providers.http.triggers.http import HttpEventTrigger
from airflow.providers.standard.triggers.file import FileDeleteTrigger, FileTrigger
from airflow.sdk import AssetWatcher
from airflow.triggers.base import BaseEventTrigger, BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def events(trigger: BaseTrigger, *, seconds: float = 5) -> list[Any]:
    """Run a trigger as the triggerer does, to its end; return what it yielded."""

    async def collect() -> list[Any]:
        out: list[Any] = []
        try:
            async with asyncio.timeout(seconds):
                out.extend([event.payload async for event in trigger.run()])
        except TimeoutError:
            pass
        finally:
            await trigger.cleanup()
        return out

    return asyncio.run(collect())


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of moto's with the file `orders.csv` in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    account = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nobody", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **account)
    client.create_bucket(Bucket="shop")
    client.put_object(Bucket="shop", Key="orders.csv", Body=b"tea")
    monkeypatch.setenv(
        "AIRFLOW_CONN_LEDGER_AWS",
        '{"conn_type": "aws", "login": "nobody", "password": "nobody",'
        f' "extra": {{"endpoint_url": "{endpoint}", "region_name": "us-east-1"}}}}',
    )
    yield "shop"
    client.close()
    server.stop()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An HTTP server that is always in the state that is waited for; yields the paths asked for."""
    asked: list[str] = []

    class Open(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Open) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AIRFLOW_CONN_LEDGER_HTTP", f"http://127.0.0.1:{server.server_port}")
        yield asked
        server.shutdown()
        thread.join()


def test_s3_key_trigger_fires_on(bucket: str) -> None:
    trigger = S3KeyTrigger(bucket_name=bucket, bucket_key="orders.csv", aws_conn_id="ledger_aws", poke_interval=60)
    assert [len(events(trigger)) for _ in range(3)] == [1, 1, 1], "each time it is started, for the file is still there"
    with pytest.raises(ValueError, match="must inherit BaseEventTrigger"):
        AssetWatcher(name="s3", trigger=trigger)


def test_no_bug_but_a_state(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.touch()
    looks = FileTrigger(filepath=str(file), poke_interval=0.01)
    assert [events(looks) for _ in range(3)] == [[True]] * 3
    takes = FileDeleteTrigger(filepath=str(file), poke_interval=0.01)
    assert [events(takes, seconds=0.2) for _ in range(3)] == [[True], [], []], "what is taken away is seen once"


def test_base_event_trigger() -> None:
    assert issubclass(BaseEventTrigger, BaseTrigger)
    assert BaseEventTrigger.__abstractmethods__ == BaseTrigger.__abstractmethods__, "nothing more to implement"
    assert FileDeleteTrigger(filepath="/a").shared_stream_key() is None, "streams are shared by those that ask for it"
    assert hasattr(FileDeleteTrigger(filepath="/a"), "asset_state_store")
    assert issubclass(FileDeleteTrigger, BaseEventTrigger)
    assert not issubclass(FileTrigger, BaseEventTrigger)


def test_only_event_triggers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for other in (FileTrigger(filepath="/a"), "no trigger at all"):
        with pytest.raises(ValueError, match="must inherit BaseEventTrigger"):
            AssetWatcher(name="refused", trigger=other)

    class Plain(BaseMessageQueueProvider):
        """Hands out a trigger that may not watch."""

        scheme = "ledger-plain"

        def trigger_class(self) -> type[Any]:
            return FileTrigger

    monkeypatch.setattr(msg_queue, "MESSAGE_QUEUE_PROVIDERS", [Plain()])
    inside = msg_queue.MessageQueueTrigger(scheme="ledger-plain", filepath="/a")
    assert AssetWatcher(name="back door", trigger=inside)
    assert inside.serialize()[0].endswith(".FileTrigger"), "and it is this that the triggerer runs"


def test_marker_prevents_endless_runs(shop: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ledger_check.py").write_text("async def is_open(response): return True\n")
    monkeypatch.syspath_prepend(tmp_path)
    trigger = HttpEventTrigger(
        response_check_path="ledger_check.is_open", http_conn_id="ledger_http", endpoint="open", poll_interval=60
    )
    assert AssetWatcher(name="allowed", trigger=trigger)
    assert [len(events(trigger)) for _ in range(3)] == [1, 1, 1], "and an interval of 60 seconds does not slow it"
    assert len(shop) == 3
