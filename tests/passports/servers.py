"""Real servers for the runs behind the passports: Apache Kafka, Redis, and moto for AWS. Each for one `with` block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 60.0
"""Seconds until a server that does not answer is given up."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _process(command: Sequence[str], port: int, folder: str) -> Iterator[None]:
    """Run a server until the block ends, and begin the block when its port is open."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not open its port")
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def moto() -> Iterator[str]:
    """Serve SQS and Kinesis from memory; yields the address."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        with _process(command, port, folder):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def redis() -> Iterator[int]:
    """Run a real redis-server, the wheel's or the system's; yields its port."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    server = shutil.which("redis-server", path=places) or shutil.which("valkey-server", path=places)
    if server is None:
        raise RuntimeError(
            "there is no redis-server: install one (Debian: apt install redis-server; brew install redis)"
        )
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        with _process([server, *options], port, folder):
            yield port


@contextmanager
def kafka() -> Iterator[str]:
    """Run a real Apache Kafka, as the local lane does; yields its bootstrap address."""
    from labkit.brokers import kafka as broker
    from labkit.brokers.client import await_groups, create_topics

    broker.Kafka().prepare(lambda *_: None)
    ports = {"kafka": _free_port(), "controller": _free_port()}
    address = f"127.0.0.1:{ports['kafka']}"
    with tempfile.TemporaryDirectory(prefix="passports-") as name:
        command = broker._command(Path(name), ports, [])
        with _process(command, ports["kafka"], name):
            create_topics(address, ["first"])
            await_groups(address, "first")
            yield address
