"""`lab restart`: stops a part of the stack and starts it again, for what is read at a start only."""

from __future__ import annotations

import click

from labkit import session
from labkit.cli import Command
from labkit.errors import USAGE, LabError
from labkit.i18n import listed, t
from labkit.stack.lane import ON_DEMAND
from labkit.stack.local import AIRFLOW_PARTS
from labkit.ui import console, step
from labkit.waiting import until


@click.command("restart", cls=Command)
@click.argument("part")
def command(part: str) -> None:
    """Restart a part of the stack."""
    if part not in AIRFLOW_PARTS:
        raise LabError("stack.unknown_part", exit_code=USAGE, part=part, known=listed(AIRFLOW_PARTS))
    stack = session.current()
    if part in ON_DEMAND and part not in {one.name for one in stack.parts()}:
        raise LabError("restart.not_running", part=part)
    with step(t("restart.part", part=part)):
        stack.restart(part)
        try:
            until(lambda: any(one.name == part and one.healthy for one in stack.parts()), seconds=60, pause=0.5)
        except TimeoutError as error:
            raise LabError("stack.part_failed", part=part) from error
    console.print(t("restart.done", part=part))
