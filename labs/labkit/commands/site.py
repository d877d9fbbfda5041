"""`lab site`: builds the site in both languages, its notebooks executed against the running stack."""

from __future__ import annotations

import click

from labkit import session, site
from labkit.cli import Command
from labkit.i18n import language, t
from labkit.stack import state as states
from labkit.ui import console


@click.command("site", cls=Command)
@click.option("--no-execute", is_flag=True)
def command(*, no_execute: bool) -> None:
    """Build the site."""
    if no_execute:
        site.build(execute=False)
    else:
        session.current()  # the notebooks run on it: say so now where there is none
        site.prove()
        site.build_executed()
    console.print(t("site.built", folder=site.OUT))
    state = states.load()
    if state and "site" in state.ports:
        console.print(f"{state.site_url}/{language()}/index.html", soft_wrap=True)
