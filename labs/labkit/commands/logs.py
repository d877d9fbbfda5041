"""`lab logs`: what a part of the stack has written."""

from __future__ import annotations

import click

from labkit import session
from labkit.cli import Command
from labkit.i18n import t
from labkit.ui import console


@click.command("logs", cls=Command)
@click.argument("part", required=False)
@click.option("-f", "--follow", is_flag=True)
@click.option("-n", "--lines", type=click.IntRange(1), default=None)
def command(part: str | None, *, follow: bool, lines: int | None) -> None:
    """Show logs."""
    stack = session.current()
    if part is None:
        console.print(t("logs.which"))
        for name in stack.part_names():
            console.print(f"  ./lab logs {name}")
        return
    written = list(stack.log(part))
    for line in written[-lines:] if lines else written:
        click.echo(line)
    if follow:
        for line in stack.follow(part):
            click.echo(line)
