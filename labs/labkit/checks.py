"""`lab test`: the stages, one after the other, each with its time; the last line is pytest's own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from labkit import paths
from labkit.errors import usage_error
from labkit.i18n import listed, t
from labkit.ui import console


@dataclass(frozen=True)
class Stage:
    """A part of the tests: a command, and whether the inner loop has it too."""

    name: str
    command: tuple[str, ...]
    fast: bool = False
    named: bool = False
    """Whether it runs only when it is named: it needs more of a machine than the others."""


_PYTEST = ("-m", "pytest", "-q")
_NO_BUILDS = ("--deselect", "tests/site/test_build.py", "--deselect", "tests/site/test_ledger_page.py")
STAGES = (
    Stage("ruff", ("-m", "ruff", "check", "."), fast=True),
    Stage("format", ("-m", "ruff", "format", "--check", "."), fast=True),
    Stage("mypy", ("-m", "mypy"), fast=True),
    Stage("unit", (*_PYTEST, "tests/unit"), fast=True),
    Stage("text", (*_PYTEST, "tests/site", "-m", "not browser", *_NO_BUILDS), fast=True),
    Stage("ledger", (*_PYTEST, "tests/ledger")),
    Stage("triggers", (*_PYTEST, "tests/bench_triggers")),
    Stage("passports", (*_PYTEST, "tests/passports")),
    Stage("stack", (*_PYTEST, "tests/stack")),
    Stage("site", (*_PYTEST, "tests/site")),
    Stage("compose", (*_PYTEST, "tests/compose"), named=True),
)


def run(names: tuple[str, ...], *, fast: bool, full: bool) -> None:
    """Run the stages and exit with 1 as soon as one fails.

    Args:
        names: Only these; all by default.
        fast: Only what fits into a minute.
        full: The tests that take long, too.
    """
    if fast and full:
        raise usage_error("test.fast_or_full")
    known = [stage.name for stage in STAGES]
    for name in names:
        if name not in known:
            raise usage_error("test.unknown_stage", stage=name, known=listed(known))
    chosen = [
        stage for stage in STAGES if (stage.name in names if names else not stage.named and (stage.fast or not fast))
    ]
    if not names and not fast:
        chosen = [stage for stage in chosen if stage.name != "text"]  # `site` has it whole
    for position, stage in enumerate(chosen, start=1):
        console.rule(f"{position}/{len(chosen)} {stage.name}", align="left", style="dim")
        began = time.monotonic()
        more = ("--full",) if full and "pytest" in stage.command else ()
        outcome = subprocess.run([sys.executable, *stage.command, *more], cwd=paths.ROOT, check=False)
        if outcome.returncode:
            console.print(t("test.failed", stage=stage.name))
            sys.exit(1)
        if position < len(chosen):  # the last words are pytest's: that is what CI reads
            console.print(f"[green]✓[/] {stage.name}  [dim]{time.monotonic() - began:.1f} s[/]")
