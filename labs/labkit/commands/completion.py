"""`lab completion`: the script that makes a shell complete commands, options and labs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from labkit.cli import Command


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a completion script."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(click.Command("lab"), {}, "lab", "_LAB_COMPLETE").source())
