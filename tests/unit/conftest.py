"""A checkout of its own for each test, and the command line without a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from labkit import cli, config, i18n, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin each test in English, whatever the machine and the test before it speak."""
    for name in ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "LAB_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    i18n.use("en")
    yield
    i18n.use("en")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty checkout: no state, no work, nothing built, the engine's own labs."""
    monkeypatch.setattr(paths, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(paths, "WORK", tmp_path / "work")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    config.labs.cache_clear()
    yield tmp_path
    config.labs.cache_clear()


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def lab(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `lab …` in this process, in an empty checkout."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        for name in [name for name in sys.modules if name.startswith("labkit.commands.")]:
            del sys.modules[name]  # their help texts are in the language of the run before
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return run
