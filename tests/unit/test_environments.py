"""Environments of their own: their locks, and what is said when one cannot be had. Making one is the stack's test."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from labkit import environments, paths
from labkit.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without environments and a machine without uv."""
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", environments.names())
def test_every_requirement_is_locked_with_hashes(name: str) -> None:
    lock = environments._lock(name).read_text(encoding="utf-8")
    wanted = environments._lock(name).with_suffix(".in").read_text(encoding="utf-8")
    for requirement in re.findall(r"^[a-z].*", wanted, flags=re.MULTILINE):
        locked = re.sub(r"\[.*\]", "", requirement)  # its extras are packages of their own there
        assert re.search(rf"^{re.escape(locked)}\b", lock, flags=re.MULTILINE), requirement
    packages = re.findall(r"^[a-z0-9].*", lock, flags=re.MULTILINE)
    assert len(packages) > 50
    assert all(line.rstrip().endswith("\\") for line in packages), "each goes on with its hashes"
    assert "://" not in lock


def test_an_unknown_environment_is_named_with_those_there_are(nowhere: Path) -> None:
    with pytest.raises(LabError) as refusal:
        environments.make("airflow-9")
    assert refusal.value.key == "environments.unknown"
    assert refusal.value.exit_code == 2


def test_without_uv_the_mend_is_named(nowhere: Path) -> None:
    with pytest.raises(LabError) as refusal:
        environments.make(environments.names()[0])
    assert refusal.value.key == "environments.no_uv"


def test_what_uv_cannot_install_is_not_ready(nowhere: Path) -> None:
    uv = nowhere / "uv"
    uv.write_text('#!/bin/sh\necho "no network" >&2\nexit 1\n', encoding="utf-8")
    uv.chmod(0o755)
    name = environments.names()[0]
    with pytest.raises(LabError) as refusal:
        environments.make(name)
    assert refusal.value.key == "environments.failed"
    assert not environments.is_ready(name)


def test_a_changed_lock_is_installed_anew_and_the_same_one_is_not(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = nowhere / "calls"
    uv = nowhere / "uv"
    uv.write_text(f'#!/bin/sh\necho "$1" >> "{calls}"\n', encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{nowhere}{os.pathsep}/bin")
    name = environments.names()[0]
    place = environments.folder(name)
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    assert environments.make(name) == place / "bin" / "python"
    environments.make(name)
    assert calls.read_text(encoding="utf-8").split() == ["pip"]
    (place / "lab.lock").write_text("another", encoding="utf-8")
    environments.make(name)
    assert calls.read_text(encoding="utf-8").split() == ["pip", "pip"]
