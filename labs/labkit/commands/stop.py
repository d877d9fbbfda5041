"""`lab stop`: ends every process and removes every file of the stack, whatever state it is in."""

from __future__ import annotations

import click

from labkit import session
from labkit.cli import Command
from labkit.i18n import t
from labkit.stack import state as states
from labkit.ui import console, step


@click.command("stop", cls=Command)
def command() -> None:
    """Stop the stack."""
    with session.lock():
        if states.load() is None and states.load(states.SIDE) is None:
            console.print(t("stop.nothing"))
            return
        with step(t("stop.stopping")):
            session.sweep()
        console.print(t("stop.done"))
