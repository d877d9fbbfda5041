"""`lab bench`: measures start, latency and idle cost, ours and plain Airflow's side by side."""

from __future__ import annotations

import subprocess
import sys

import click

from labkit import paths
from labkit.cli import Command


@click.command("bench", cls=Command)
@click.argument("which", nargs=-1)
def command(which: tuple[str, ...]) -> None:
    """Run the benchmarks."""
    outcome = subprocess.run([sys.executable, "-m", "tests.bench", *which], cwd=paths.ROOT, check=False)
    sys.exit(outcome.returncode)
