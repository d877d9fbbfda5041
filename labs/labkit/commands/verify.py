"""`lab verify`: looks at the real system and says for each step whether it is done, or what is missing."""

from __future__ import annotations

import sys

import click

from labkit import progress, session, verify
from labkit.cli import Command
from labkit.config import in_language
from labkit.config import lab as find
from labkit.i18n import t
from labkit.ui import console


@click.command("verify", cls=Command)
@click.argument("lab", required=False)
@click.argument("step", required=False)
def command(lab: str | None, step: str | None) -> None:
    """Check the steps of a lab."""
    chosen = find(lab) if lab else None
    if chosen and step:
        chosen.step(step)
    passed = True
    stack = session.having(chosen) if chosen else session.current()
    labs = [chosen] if chosen else [find(name) for name in sorted(stack.state.labs)]
    with stack.metadata() as metadata:
        for one in labs:
            console.print(f"[bold]{one.id} {in_language(one.title)}[/]")
            for row in verify.check(one, metadata, only=step, log=stack.trigger_log()):
                passed = passed and row.passed
                progress.note(one.name, row.step.id, passed=row.passed)
                mark = "[green]✓[/]" if row.passed else "[red]✗[/]"
                console.print(f"  {mark} {in_language(row.step.title)}  [dim]{row.step.id}[/]", soft_wrap=True)
                if not row.passed:
                    console.print(f"      {row.missing}", soft_wrap=True, markup=False)
    if not passed:
        console.print(f"[dim]{t('verify.hint', lab=labs[0].id)}[/]")
        sys.exit(1)
    console.print(f"[green]{t('verify.step_done' if step else 'verify.all_done')}[/]")
