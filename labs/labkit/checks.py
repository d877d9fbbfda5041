"""`lab test`: the stages, each with its time; the last line is pytest's own.

The stage `stack` takes longest, and much of it is waiting: for polls, heartbeats, a broker. The other long stages run
beside it, one after the other; what they say is shown afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import paths
from labkit.errors import usage_error
from labkit.i18n import listed, t
from labkit.ui import console

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Stage:
    """A part of the tests: a command, and whether the inner loop has it too."""

    name: str
    command: tuple[str, ...]
    fast: bool = False
    named: bool = False
    """Whether it runs only when it is named: it needs more of a machine than the others."""
    beside: bool = False
    """Whether it runs while `stack` does."""


MAIN = "stack"
"""The stage that others run beside."""
_PYTEST = ("-m", "pytest", "-q")
_NO_BUILDS = ("--deselect", "tests/site/test_build.py", "--deselect", "tests/site/test_ledger_page.py")
STAGES = (
    Stage("ruff", ("-m", "ruff", "check", "."), fast=True),
    Stage("format", ("-m", "ruff", "format", "--check", "."), fast=True),
    Stage("mypy", ("-m", "mypy"), fast=True),
    Stage("unit", (*_PYTEST, "tests/unit"), fast=True),
    Stage("text", (*_PYTEST, "tests/site", "-m", "not browser", *_NO_BUILDS), fast=True),
    Stage(MAIN, (*_PYTEST, "tests/stack")),
    Stage("passports", (*_PYTEST, "tests/passports"), beside=True),
    Stage("ledger", (*_PYTEST, "tests/ledger"), beside=True),
    Stage("triggers", (*_PYTEST, "tests/bench_triggers"), beside=True),
    Stage("compose", (*_PYTEST, "tests/compose"), named=True, beside=True),
    Stage("site", (*_PYTEST, "tests/site"), beside=True),
)


@dataclass(frozen=True)
class Outcome:
    """How a stage went.

    Attributes:
        code: Its exit code.
        seconds: What it took.
    """

    code: int
    seconds: float


def run(names: tuple[str, ...], *, fast: bool, full: bool) -> None:
    """Run the stages and exit with 1 as soon as one fails; what ran beside it comes to its end.

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
    run_all(chosen, ("--full",) if full else ())


def run_all(stages: Sequence[Stage], more: Sequence[str] = ()) -> None:
    """Run stages in order, some beside `stack` where that is among them; exit with 1 when one fails.

    Args:
        stages: Which; those that run beside another come last.
        more: For pytest.
    """
    beside = [stage for stage in stages if stage.beside] if any(stage.name == MAIN for stage in stages) else []
    # What runs beside another has temporary files of its own: tests of the stack see that none of theirs is left.
    place = tempfile.TemporaryDirectory(prefix="lt-", ignore_cleanup_errors=True)  # short, for names of sockets
    with place as folder, ThreadPoolExecutor(max_workers=1) as background:
        Path(folder).chmod(0o711)  # root starts PostgreSQL as somebody else, who has to come in
        said = {stage.name: Path(folder) / stage.name for stage in beside}
        pending = {}
        try:
            for position, stage in enumerate(stages, start=1):
                console.rule(f"{position}/{len(stages)} {stage.name}", align="left", style="dim")
                if stage.name == MAIN and beside:
                    console.print(t("test.beside", stages=listed(said)))
                    pending = {one.name: background.submit(_run, one, more, said[one.name]) for one in beside}
                outcome = pending[stage.name].result() if stage.name in pending else _run(stage, more)
                if stage.name in said:
                    sys.stdout.write(said[stage.name].read_text(encoding="utf-8", errors="replace"))
                    sys.stdout.flush()
                if outcome.code:
                    console.print(t("test.failed", stage=stage.name))
                    sys.exit(1)
                if position < len(stages):  # the last words are pytest's: that is what CI reads
                    console.print(f"[green]✓[/] {stage.name}  [dim]{outcome.seconds:.1f} s[/]")
        finally:
            background.shutdown(wait=False, cancel_futures=True)


def _run(stage: Stage, more: Sequence[str], said: Path | None = None) -> Outcome:
    """Run a stage; what it says goes to a file where one is given, and its temporary files beside that."""
    command = [sys.executable, *stage.command, *(more if "pytest" in stage.command else ())]
    began = time.monotonic()
    if said is None:
        done = subprocess.run(command, cwd=paths.ROOT, check=False)
    else:
        environment = {**os.environ, "TMPDIR": str(said.parent)}
        with said.open("wb") as output:
            done = subprocess.run(
                command, cwd=paths.ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
            )
    return Outcome(done.returncode, time.monotonic() - began)
