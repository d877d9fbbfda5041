"""Free ports on the loopback address: the usual one where it is free, so that bookmarks keep working."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from labkit import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

# Away from the usual defaults (8080, 8793, 9092), which other Airflows and brokers on a laptop have.
PREFERRED = {
    "site": 28000,
    "api-server": 28080,
    "execution-api": 28081,
    "kafka": 29092,
    "kafka-controller": 29093,
    "notebook": 28888,
    "aws": 28500,
    "redis": 26379,
}

_PROMISED_FOR = 300.0
"""Seconds for which a port that was given out counts as taken, so that its server has time to come up."""


def _bindable(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the servers do it: a port in TIME_WAIT from the last stack is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def any_free() -> int:
    """Return a port that the system says is free."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def usual_but_taken() -> dict[str, int]:
    """Return the preferred ports that somebody has."""
    return {name: port for name, port in PREFERRED.items() if not _bindable(port)}


def _held(owner: str, port: int) -> bool:
    """Tell whether a checkout's stack has this port, in use or for a part that runs on demand only."""
    try:
        record = json.loads((Path(owner) / ".lab" / "state.json").read_text(encoding="utf-8"))
        return port in record["ports"].values()
    except (OSError, ValueError, LookupError, AttributeError):
        return False


def choose(owner: str, preferred: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return a free port for each part: the preferred one, or else any, no two the same.

    Between here and the server's start another checkout may choose as well, so what is given out is written down
    in the user's cache. As long as a checkout has a stack, its ports stay its own.

    Args:
        owner: Whose they will be; its own former ports are free to it.
        preferred: The parts, each with its usual port; those of the local lane by default.
    """
    place = paths.cache()
    place.mkdir(parents=True, exist_ok=True)
    book = place / "ports.json"
    with filelock.FileLock(place / "ports.lock"):
        try:
            promises = json.loads(book.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            promises = {}
        now = time.time()
        promises = {
            port: promise
            for port, promise in promises.items()
            if promise["owner"] != owner and (promise["until"] > now or _held(promise["owner"], int(port)))
        }  # fmt: skip
        chosen: dict[str, int] = {}
        for name, port in (preferred or PREFERRED).items():
            candidate = port
            while str(candidate) in promises or candidate in chosen.values() or not _bindable(candidate):
                candidate = any_free()
            chosen[name] = candidate
        promises |= {str(port): {"owner": owner, "until": now + _PROMISED_FOR} for port in chosen.values()}
        book.write_text(json.dumps(promises), encoding="utf-8")
    return chosen
