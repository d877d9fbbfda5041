"""The compose project of a stack: brought up and taken down by compose's own command."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.scale import WORKER
from labkit.stack import logs
from labkit.stack.compose import engine, files, images

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from labkit.stack.state import State

FILE = images.FOLDER / "compose.yaml"
SCALE_FILE = images.FOLDER / "compose.scale.yaml"
"""What is laid over it where tasks run on workers."""
PATIENCE = 420
"""Seconds until what does not become healthy is given up."""


def name(state: State) -> str:
    """Return the project's name, which its containers, networks and volumes carry."""
    return f"lab-{state.id}"


def log_file(state: State) -> Path:
    """Return where compose's own words go."""
    return state.folder / "log" / "compose.log"


def up(  # noqa: PLR0913  what compose can be told
    state: State,
    services: Iterable[str] = (),
    *,
    profiles: Iterable[str] = (),
    alone: bool = False,
    wait: bool = True,
    scale: Mapping[str, int] | None = None,
) -> None:
    """Start services, all of the profiles' by default; those that run are left alone where nothing of them changed.

    Args:
        state: The stack.
        services: Which.
        profiles: With which profiles.
        alone: Leave what they depend on as it is; what ran once, such as the migration, would run once more.
        wait: Until they are healthy.
        scale: How many of a service, where it is not what the stack's own file says.

    Raises:
        LabError: One did not get there; the end of its log is in the details.
    """
    how = ["--detach", "--no-build", "--pull", "never"]
    how += ["--no-deps"] if alone else []
    how += [f"--scale={service}={number}" for service, number in (scale or {}).items()]
    how += ["--wait", "--wait-timeout", str(PATIENCE)] if wait else []
    if _run(state, profiles, "up", *how, *services):
        raise _why(state)


def down(state: State) -> None:
    """Remove all that the project made; nothing in it needs to end gently."""
    if files.compose_file(state).exists():
        _run(state, ("*",), "down", "--volumes", "--remove-orphans", "--timeout", "0")
    engine.sweep(name(state))  # what compose did not get to know of, or its files are gone


def _run(state: State, profiles: Iterable[str], *arguments: str) -> int:
    command = ["docker", "compose", "--project-name", name(state), "--progress", "quiet"]
    for file in (FILE, SCALE_FILE) if WORKER in state.scale else (FILE,):
        command += ["--file", str(file)]
    command += ["--env-file", str(files.compose_file(state))]
    for profile in profiles:
        command += ["--profile", profile]
    # What stands in the shell's environment would win over the stack's own file.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LAB_", "COMPOSE_"))}
    with log_file(state).open("a", encoding="utf-8") as words:
        return subprocess.run(
            [*command, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words, check=False
        ).returncode


def _why(state: State) -> LabError:
    """Return what to tell of a start that failed: the first service that did, and the end of its log."""
    for part, container in engine.containers(name(state)).items():
        facts = container.attrs["State"]
        health = facts.get("Health", {}).get("Status", "")
        if facts["ExitCode"] or health == "unhealthy" or facts["Restarting"]:
            return LabError("stack.part_failed", part=part, details=engine.tail(container))
    return LabError("docker.no_start", details=logs.tail(log_file(state)))
