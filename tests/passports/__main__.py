"""Makes the passports anew: `./lab passports`, which runs `python -m tests.passports [SCHEME...]`.

Each scheme is looked at in a process of its own, in the environment that has its provider: the learner's, or
`providers`, which is made from its lock when it is missing.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import psutil
from rich.markup import escape

from labkit import environments, paths
from labkit.errors import LabError
from labkit.i18n import t
from labkit.ui import console, step

FOLDER = paths.BOOK / "passports"
JUDGEMENTS = paths.BOOK / "passports.toml"
ELSEWHERE = "providers"
"""The environment of the providers that the learner's does not have."""

PATIENCE = 300.0
"""Seconds until a scheme that is looked at for so long is given up; the slowest takes about 40."""


def judgements() -> list[dict[str, Any]]:
    """Return what stands in `book/passports.toml`, one for each scheme."""
    out: list[dict[str, Any]] = tomllib.loads(JUDGEMENTS.read_text(encoding="utf-8"))["scheme"]
    return out


@functools.cache
def schemes_here() -> set[str]:
    """Return the schemes of the packages that this environment has."""
    program = "import json; from tests.passports import wheels; print(json.dumps(sorted(wheels.providers())))"
    with tempfile.TemporaryDirectory() as home:
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            cwd=paths.ROOT,
            env=_environment() | {"AIRFLOW_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    return set(json.loads(told.stdout.splitlines()[-1]))


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    return kept | {"PYTHONPATH": str(paths.LABS), "NO_PROXY": "*", "GRPC_VERBOSITY": "NONE", "PYTHONFAULTHANDLER": "1"}


def look(scheme: str, python: Path) -> dict[str, Any]:
    """Look at a scheme with the Python of an environment.

    Raises:
        LabError: It could not be looked at.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [str(python), "-m", "tests.passports.look", str(folder / "passport.json"), scheme]
        with (folder / "complaints").open("w") as complaints:
            process = subprocess.Popen(
                command,
                cwd=paths.ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
            )
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired as error:
                reason = t("passports.slow", seconds=round(PATIENCE))
                raise LabError("passports.failed", scheme=scheme, reason=reason) from error
            finally:
                _end(process)
        if process.returncode:
            told = (folder / "complaints").read_text(encoding="utf-8").strip() or f"exit code {process.returncode}"
            reason = told.splitlines()[-1].removeprefix("tests.passports.wheels.PassportError: ")
            raise LabError("passports.failed", scheme=scheme, reason=reason, details=told)
        found: dict[str, Any] = json.loads((folder / "passport.json").read_text(encoding="utf-8"))
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: the servers in its session, whatever way it ended."""
    for one in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(one.pid) == process.pid:
                one.kill()
    process.wait()


def written(passport: dict[str, Any]) -> str:
    """Return a passport as its file has it."""
    return json.dumps(passport, indent=1, ensure_ascii=False) + "\n"


def file_of(judgement: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Return the file of a scheme's passport."""
    return folder / f"{judgement['page']}.json"


def python_for(scheme: str) -> Path:
    """Return the Python that has a scheme's provider, making its environment where it is missing."""
    return Path(sys.executable) if scheme in schemes_here() else environments.make(ELSEWHERE)


def main(*names: str) -> None:
    """Write the passports, and say whose judgement has to be read again."""
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for one in judgements():
        if names and one["name"] not in names:
            continue
        with step(t("passports.looking", scheme=one["name"])):
            passport = look(one["name"], python_for(one["name"]))
        file_of(one).write_text(written(passport), encoding="utf-8")
        if passport["evidence"] != one["looked"]:
            told = {"scheme": one["name"], "file": JUDGEMENTS.relative_to(paths.ROOT), "evidence": passport["evidence"]}
            stale.append(t("passports.stale", **told))
    for line in stale:
        console.print(f"[yellow]![/] {escape(line)}", soft_wrap=True)
    console.print(t("passports.written", folder=FOLDER.relative_to(paths.ROOT)))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LabError as error:
        console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
