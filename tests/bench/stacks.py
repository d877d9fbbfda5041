"""Stacks for the time of a measurement."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import config, paths, session
from labkit.commands.start import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labkit.config import Lab
    from labkit.stack.local import LocalStack


@contextlib.contextmanager
def running(labs: Sequence[Lab], *, defaults: bool = False, solved: bool = False) -> Iterator[LocalStack]:
    """Run a stack for the time of a measurement, with copies of some labs' Dags.

    Args:
        labs: Whose.
        defaults: With Airflow's settings as they come, the triggers' included.
        solved: With the exercises' solutions, so with all watchers that a learner ends up with.
    """
    session.sweep()
    with tempfile.TemporaryDirectory() as folder:
        former, paths.WORK = paths.WORK, Path(folder) / "work"
        labs = [replace(lab, folder=_copy(lab, Path(folder), defaults=defaults)) for lab in labs]
        lay_out(labs, solution=solved)
        stack = session.bring_up(labs, defaults=defaults)
        try:
            message = session.first_event(stack, config.main(labs))
            assert message is not None
            session.watch(stack, message)
            session.wait_for_interface(stack)
            yield stack
        finally:
            stack.stop()
            paths.WORK = former


def _copy(lab: Lab, folder: Path, *, defaults: bool) -> Path:
    """Copy a lab; without the triggers' own settings where Airflow's defaults are wanted."""
    target = folder / "labs" / lab.name
    shutil.copytree(lab.folder, target)
    if defaults:
        for file in target.rglob("*.py"):
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            file.write_text("".join(line for line in lines if "poll_timeout=" not in line), encoding="utf-8")
    return target
