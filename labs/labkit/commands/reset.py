"""`lab reset`: brings a lab back to its beginning, or to its solution for those who came late."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from labkit import config, paths, progress, session
from labkit.airflow.api import Api
from labkit.cli import Command
from labkit.commands.start import lay_out
from labkit.errors import FAILED
from labkit.i18n import t
from labkit.stack import lanes
from labkit.stack import state as states
from labkit.ui import console

if TYPE_CHECKING:
    from pathlib import Path


@click.command("reset", cls=Command)
@click.argument("lab", required=False)
@click.option("--solution", is_flag=True)
@click.option("--yes", "-y", is_flag=True)
def command(lab: str | None, *, solution: bool, yes: bool) -> None:
    """Reset a lab."""
    labs = session.chosen(lab)
    changed = [file for one in labs for file in _changed(one)]
    if changed and not yes:
        for file in changed:
            console.print(f"  {file.relative_to(paths.ROOT)}")
        if not click.confirm(t("reset.sure")):
            console.print(t("reset.kept"))
            sys.exit(FAILED)
    for one in labs:
        for entry in one.work.glob("*"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)  # no exercise has a folder: a lab's notes, cards and parcels go, too
            elif not (one.folder / "exercise" / entry.name).exists():
                entry.unlink()
        lay_out([one], solution=solution, anew=True)
        progress.forget(one.name)
        _pause_as_at_first(one)
        console.print(t("reset.solution" if solution else "reset.done", work=one.work.relative_to(paths.ROOT)))


def _changed(lab: config.Lab) -> list[Path]:
    """Return the files of a lab's work folder that are neither the exercise nor the solution as they come."""
    known = {
        file.read_bytes()
        for folder in ("exercise", "solution")
        for file in (lab.folder / folder).glob("*.py")
    }  # fmt: skip
    files = (file for file in sorted(lab.work.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)
    return [file for file in files if file.read_bytes() not in known]


def _pause_as_at_first(lab: config.Lab) -> None:
    """Let the lab's paused Dags go on and pause those that run on demand only, where a stack runs."""
    state = states.load()
    stack = lanes.stack(state) if state else None
    if state is None or stack is None or not stack.alive:
        return
    with stack.metadata() as metadata:
        dags = metadata.dags()
    with Api(state) as api:
        for dag, row in dags.items():
            wanted = dag in lab.on_demand
            if row["is_paused"] != wanted and row["bundle_name"] in {lab.name, f"{lab.name}-work"}:
                api.set_paused(dag, paused=wanted)
                api.reparse(dag)
