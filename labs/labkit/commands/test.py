"""`lab test`: see `tests/`."""

from __future__ import annotations

import click

from labkit import checks
from labkit.cli import Command


@click.command("test", cls=Command)
@click.option("--fast", is_flag=True)
@click.option("--full", is_flag=True)
@click.argument("stages", nargs=-1)
def command(stages: tuple[str, ...], *, fast: bool, full: bool) -> None:
    """Run the tests."""
    checks.run(stages, fast=fast, full=full)
