"""`lab doctor`: looks at the machine before it matters."""

from __future__ import annotations

import sys

import click

from labkit import doctor
from labkit.cli import Command
from labkit.i18n import t
from labkit.ui import console


@click.command("doctor", cls=Command)
def command() -> None:
    """Check the machine."""
    findings = list(doctor.examine())
    for finding in findings:
        mark = {"good": "[green]✓[/]", "poor": "[yellow]![/]", "bad": "[red]✗[/]"}[finding.grade]
        console.print(f"{mark} {t('doctor.line', subject=finding.subject, found=finding.found)}", soft_wrap=True)
        if finding.mend:
            console.print(f"    {finding.mend}", soft_wrap=True)
    if any(finding.grade == "bad" for finding in findings):
        sys.exit(1)
    console.print(t("doctor.fine"))
