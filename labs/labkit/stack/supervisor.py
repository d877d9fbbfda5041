"""The processes' keeper: supervisord (the `supervisor` package), its configuration and its XML-RPC interface."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import subprocess
import sys
import xmlrpc.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport

from labkit.errors import LabError
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from labkit.stack import PartState


@dataclass(frozen=True)
class Program:
    """One process to keep alive.

    Attributes:
        name: As `status` and `logs` show it.
        command: Its arguments, the executable first.
        folder: Where it works.
        user: Whose rights it runs with, where that is not the caller's.
        stop_signal: What asks it to end cleanly.
        keep: Whether it comes back when it dies.
        at_once: Whether it starts with supervisord and not when asked to.
        grace: Seconds that it has to end cleanly.
    """

    name: str
    command: Sequence[str]
    folder: Path
    user: str | None = None
    stop_signal: str = "TERM"
    keep: bool = True
    at_once: bool = False
    grace: int = 8


def _escaped(value: object) -> str:
    """Return text for supervisord's configuration, which expands `%(…)s`."""
    return str(value).replace("%", "%%")


def _command(arguments: Sequence[str]) -> str:
    """Return a command line that supervisord splits into the same arguments.

    Its parser takes ` ;` and ` #` for the beginning of a comment, in quotes or not; a closed and opened quote in
    between is nothing to the shell's rules and no blank to the parser.
    """
    line = shlex.join(arguments)
    for mark in ";#":
        line = line.replace(f" {mark}", f" '\"{mark}\"'")
    return _escaped(line)


def write_configuration(folder: Path, programs: Sequence[Program]) -> Path:
    """Write supervisord's configuration into the stack's folder.

    Nothing starts by itself: the stack starts each program when what it needs is there. A program that dies is
    started again however often it takes, with supervisord's growing pauses in between.

    Returns:
        The file.
    """
    lines = [
        "[supervisord]",
        f"logfile={_escaped(folder / 'log' / 'supervisord.log')}",
        "logfile_maxbytes=1MB",
        "logfile_backups=0",
        f"pidfile={_escaped(folder / 'supervisord.pid')}",
        f"childlogdir={_escaped(folder / 'log')}",
        f"directory={_escaped(folder)}",
        "umask=077",
        "nocleanup=true",
        *(["user=root"] if os.geteuid() == 0 else []),  # stops supervisord's warning; it is root already
        "[unix_http_server]",
        f"file={_escaped(socket_path(folder))}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += [
            f"[program:{program.name}]",
            f"command={_command(program.command)}",
            f"directory={_escaped(program.folder)}",
            # libpq's name for a session: PostgreSQL shows who asks (`pg_stat_activity.application_name`).
            f'environment=PGAPPNAME="{program.name}"',
            f"autostart={'true' if program.at_once else 'false'}",
            f"autorestart={'true' if program.keep else 'false'}",
            "startsecs=1",
            "startretries=1000",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.grace}",
            # Airflow's and PostgreSQL's children are theirs to end; a killed parent must not leave them.
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_escaped(folder / 'log' / (program.name + '.log'))}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=1",
        ]
        if program.user:
            lines.append(f"user={program.user}")
    file = folder / "supervisord.conf"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.chmod(0o600)
    return file


def socket_path(folder: Path) -> Path:
    """Return where supervisord listens. Short, for a socket's path must fit into 104 bytes on macOS."""
    return folder / "supervisor.sock"


def launch(folder: Path, environment: Mapping[str, str]) -> None:
    """Start supervisord in the background, detached from the terminal.

    Args:
        folder: The stack's folder, with the configuration in it.
        environment: All that the stack's processes inherit. Secrets travel here only and never to the disk.

    Raises:
        LabError: It did not come up.
    """
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    outcome = subprocess.run(
        command, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False, start_new_session=True
    )
    if outcome.returncode:
        raise LabError("stack.supervisor_failed", details=outcome.stdout + outcome.stderr)
    try:
        until(lambda: alive(folder), seconds=10, pause=0.02)
    except TimeoutError as error:
        raise LabError("stack.supervisor_failed", details="") from error


def proxy(folder: Path) -> Any:
    """Return supervisord's XML-RPC interface (http://supervisord.org/api.html)."""
    transport = SupervisorTransport(None, None, f"unix://{socket_path(folder)}")
    # The host is never looked up: the transport speaks to the socket.
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def alive(folder: Path) -> bool:
    """Tell whether supervisord answers."""
    if not socket_path(folder).exists():
        return False
    try:
        return bool(proxy(folder).getState()["statename"] == "RUNNING")
    except (OSError, xmlrpc.client.Error, KeyError):
        return False


def change(folder: Path, name: str, command: Sequence[str], *, begin: bool = True) -> None:
    """Give a program another command line, and start it anew; returns when the old process is gone.

    Args:
        folder: The stack's folder.
        name: Of the program.
        command: What it runs from now on.
        begin: Start it; else it is stopped.
    """
    file = folder / "supervisord.conf"
    configuration = configparser.RawConfigParser()
    configuration.read(file, encoding="utf-8")
    configuration[f"program:{name}"]["command"] = _command(command)
    with file.open("w", encoding="utf-8") as target:  # it keeps its rights
        configuration.write(target)
    keeper = proxy(folder)
    keeper.reloadConfig()
    stop(folder, name)
    keeper.removeProcessGroup(name)
    keeper.addProcessGroup(name)
    if begin:
        start(folder, name)


def start(folder: Path, name: str) -> None:
    """Start a program; returns at once."""
    with contextlib.suppress(xmlrpc.client.Fault):  # it runs already
        proxy(folder).startProcess(name, False)  # noqa: FBT003  XML-RPC has no keyword arguments


def stop(folder: Path, name: str, *, wait: bool = True) -> None:
    """Stop a program and wait until it is gone, or only ask it to end; either way it does not come back."""
    with contextlib.suppress(xmlrpc.client.Fault):  # it is stopped already
        proxy(folder).stopProcess(name, wait)


def restart(folder: Path, name: str) -> None:
    """Stop a program and start it again; returns when the old process is gone."""
    stop(folder, name)
    start(folder, name)


def part_state(name: str) -> PartState:
    """Translate supervisord's words."""
    if name == "RUNNING":
        return "running"
    if name in {"STARTING", "BACKOFF"}:
        return "starting"
    return "failed" if name in {"FATAL", "UNKNOWN"} else "stopped"


def processes(folder: Path) -> list[dict[str, Any]]:
    """Return what supervisord says of each program; nothing where it does not answer."""
    found: list[dict[str, Any]] = proxy(folder).getAllProcessInfo() if alive(folder) else []
    return found
