"""`lab passports`: reads the brokers' passports anew; for those who bring in a new release of a provider."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import click

from labkit import paths
from labkit.cli import Command
from labkit.errors import usage_error
from labkit.i18n import language, listed


@click.command("passports", cls=Command)
@click.argument("schemes", nargs=-1)
def command(schemes: tuple[str, ...]) -> None:
    """Read the passports anew."""
    known = [one["name"] for one in tomllib.loads((paths.BOOK / "passports.toml").read_text("utf-8"))["scheme"]]
    for scheme in schemes:
        if scheme not in known:
            raise usage_error("passports.unknown", scheme=scheme, known=listed(known))
    # What runs the triggers is among the tests, which repeat it; the engine does not import those.
    outcome = subprocess.run(
        [sys.executable, "-m", "tests.passports", *schemes],
        cwd=paths.ROOT,
        env=os.environ | {"LAB_LANG": language()},
        check=False,
    )
    sys.exit(outcome.returncode)
