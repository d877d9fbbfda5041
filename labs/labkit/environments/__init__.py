"""Environments beside the learner's: another Airflow release, providers too large to be in everyone's way.

Each has a lock here, `NAME.lock`, made from `NAME.in` as `requirements.lock` is from `pyproject.toml`:

    uv pip compile NAME.in --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
        --python-version 3.11 -o NAME.lock

With `--overrides NAME.overrides` as well where there is one: it leaves out what a package wants and nobody here
imports.

They are made when first asked for, in `.lab/environments/`, and made anew when their lock has changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock

from labkit import paths
from labkit.errors import LabError
from labkit.i18n import listed

_LOCKS = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all environments."""
    return sorted(lock.stem for lock in _LOCKS.glob("*.lock"))


def airflow_releases() -> dict[str, str]:
    """Return the releases of Airflow that have an environment: release → the environment's name."""
    found = {}
    for wanted in sorted(_LOCKS.glob("airflow-*.in")):
        for line in wanted.read_text(encoding="utf-8").splitlines():
            if line.startswith("apache-airflow=="):
                found[line.partition("==")[2].strip()] = wanted.stem
    return found


def folder(name: str) -> Path:
    """Return where an environment is, made or not.

    Raises:
        LabError: There is none of this name.
    """
    if name not in names():
        raise LabError("environments.unknown", exit_code=2, name=name, known=listed(names()))
    return paths.STATE / "environments" / name


def interpreter(name: str) -> Path:
    """Return the Python of an environment, made or not."""
    return folder(name) / "bin" / "python"


def is_ready(name: str) -> bool:
    """Tell whether an environment is there and made from the lock as it is now."""
    record = folder(name) / "lab.lock"
    return record.exists() and record.read_bytes() == _lock(name).read_bytes()


def make(name: str) -> Path:
    """Have an environment ready; uv shows how far it is. Harmless and quick where it is ready.

    Returns:
        Its Python.

    Raises:
        LabError: There is none of this name, uv is missing, or the packages could not be installed.
    """
    place = folder(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place.with_suffix(".lock")):
        if not is_ready(name):
            if not interpreter(name).exists():
                _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
            # As in `lab`: compiled now, each of Airflow's processes starts some seconds sooner later.
            _uv("pip", "sync", "--require-hashes", "--compile-bytecode", str(_lock(name)), environment=place)
            shutil.copyfile(_lock(name), place / "lab.lock")
    return interpreter(name)


def _lock(name: str) -> Path:
    return _LOCKS / f"{name}.lock"


def _uv(*arguments: str, environment: Path | None = None) -> None:
    tools = paths.STATE / "tools" / "bin"
    found = shutil.which("uv", path=f"{os.environ.get('PATH', '')}{os.pathsep}{tools}")
    if found is None:
        raise LabError("environments.no_uv")
    variables = os.environ | ({"VIRTUAL_ENV": str(environment)} if environment else {})
    # Its progress and what it complains of go to the terminal as they are.
    if subprocess.run([found, *arguments], env=variables, check=False).returncode:
        raise LabError("environments.failed")
