"""`lab hint`: the next hint for the first step that is not done; each call tells more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labkit import progress, session, verify
from labkit.cli import Command
from labkit.config import in_language
from labkit.config import lab as find
from labkit.i18n import t
from labkit.ui import console

if TYPE_CHECKING:
    from labkit.config import Lab, Step


@click.command("hint", cls=Command)
@click.argument("lab", required=False)
@click.argument("step", required=False)
def command(lab: str | None, step: str | None) -> None:
    """Show a hint."""
    chosen = find(lab) if lab else session.chosen(None)[0]
    target = chosen.step(step) if step else None
    if target is None:
        target = _first_undone(chosen)
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


def _first_undone(lab: Lab) -> Step | None:
    """Return the first step that is not done, None where all are.

    Who asks for a hint does not ask for messages to be sent: where a check does something, `verify`'s last word counts.
    """
    with session.current().metadata() as metadata:
        for step in lab.steps:
            if step.acts:
                done = progress.passed(lab.name, step.id)
            else:
                done = all(row.passed for row in verify.check(lab, metadata, only=step.id))
            if not done:
                return step
    return None
