"""`lab hint`: the next hint for the first step that is not done; each call tells more."""

from __future__ import annotations

import click

from labkit import progress, session, verify
from labkit.cli import Command
from labkit.config import in_language
from labkit.config import lab as find
from labkit.i18n import t
from labkit.ui import console


@click.command("hint", cls=Command)
@click.argument("lab", required=False)
@click.argument("step", required=False)
def command(lab: str | None, step: str | None) -> None:
    """Show a hint."""
    chosen = find(lab) if lab else session.chosen(None)[0]
    target = chosen.step(step) if step else None
    if target is None:
        with session.current().metadata() as metadata:
            target = next((row.step for row in verify.check(chosen, metadata) if not row.passed), None)
        if target is None:
            console.print(t("hint.all_done", lab=chosen.id))
            return
    hints = in_language(target.hints)
    given = progress.next_hint(chosen.name, target.id, len(hints))
    console.print(f"[bold]{in_language(target.title)}[/]")
    for position, hint in enumerate(hints[: given + 1], start=1):
        console.print(f"  {position}/{len(hints)}  {hint}", soft_wrap=True, markup=False)
    if given + 1 < len(hints):
        console.print(f"[dim]{t('hint.more')}[/]")
