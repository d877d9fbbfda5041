"""`lab restart`: stops a part of the stack and starts it again, for what is read at a start only."""

from __future__ import annotations

import click

from labkit import scale, session
from labkit.cli import Command
from labkit.errors import USAGE, LabError
from labkit.i18n import listed, t
from labkit.stack.local import AIRFLOW_PARTS
from labkit.ui import console, step
from labkit.waiting import until

KINDS = {scale.split(name)[0] for name in AIRFLOW_PARTS} | {scale.WORKER}
"""Those parts that can be restarted: Airflow's own, whichever of several it is."""


@click.command("restart", cls=Command)
@click.argument("part")
def command(part: str) -> None:
    """Restart a part of the stack."""
    if scale.split(part)[0] not in KINDS:
        raise LabError("stack.unknown_part", exit_code=USAGE, part=part, known=listed(AIRFLOW_PARTS))
    stack = session.current()
    stack.check_part(part)
    if part not in stack.always_on() and part not in {one.name for one in stack.parts()}:
        raise LabError("restart.not_running", part=part)
    with step(t("restart.part", part=part)):
        stack.restart(part)
        try:
            until(lambda: any(one.name == part and one.healthy for one in stack.parts()), seconds=60, pause=0.5)
        except TimeoutError as error:
            raise LabError("stack.part_failed", part=part) from error
    console.print(t("restart.done", part=part))
