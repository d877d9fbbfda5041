"""Makes the passports anew: `./lab passports`, or `python -m tests.passports [FOLDER] [SCHEME...]`.

Each scheme is looked at in a process of its own, in the environment that has its provider: the learner's, or
`providers`, which is made from its lock when it is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import environments, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
        SystemExit: It could not be looked at; its own words went to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "passport.json"
        command = [str(python), "-m", "tests.passports.look", str(out), scheme]
        process = subprocess.Popen(
            command, cwd=paths.ROOT, env=_environment(), stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(PATIENCE)
        finally:
            # Whatever way it ended: the servers that it started go with it.
            if process.poll() is None:
                process.terminate()
            _end_session(process.pid)
        if process.returncode:
            raise SystemExit(f"{scheme}: could not be looked at; the reason is above")
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found


def _end_session(leader: int) -> None:
    import psutil

    for one in psutil.process_iter():
        try:
            if one.pid != leader and os.getsid(one.pid) == leader:
                one.kill()
        except (OSError, psutil.Error):
            continue


def written(passport: dict[str, Any]) -> str:
    """Return a passport as its file has it."""
    return json.dumps(passport, indent=1, ensure_ascii=False) + "\n"


def file_of(judgement: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Return the file of a scheme's passport."""
    return folder / f"{judgement['page']}.json"


def look_at(
    names: Iterable[str] = (), told: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Look at schemes, all by default, and yield each one's judgement and passport."""
    here = schemes_here()
    chosen = [one for one in judgements() if not list(names) or one["name"] in names]
    for one in chosen:
        told(one["name"])
        python = Path(sys.executable) if one["name"] in here else environments.make(ELSEWHERE)
        yield one, look(one["name"], python)


def main(folder: Path = FOLDER, *names: str) -> None:
    """Write the passports, and say whose judgement has to be read again."""
    folder.mkdir(parents=True, exist_ok=True)
    stale = []
    for one, passport in look_at(names, lambda name: print(name, flush=True)):
        file_of(one, folder).write_text(written(passport), encoding="utf-8")
        if passport["evidence"] != one["looked"]:
            stale.append(f"{one['name']}: read its lines again, mend its words in {JUDGEMENTS.name}, and write")
            stale.append(f'    looked = "{passport["evidence"]}"')
    print("\n".join(stale) or f"All judgements rest on this code. Airflow {metadata.version('apache-airflow')}.")


if __name__ == "__main__":
    main(*[Path(each) for each in sys.argv[1:2]], *sys.argv[2:])
