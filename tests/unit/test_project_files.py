"""What holds for the files of the project as such."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

REGISTRIES = [
    ("pypi", "org"),
    ("files.pythonhosted", "org"),
    ("repo1.maven", "org"),
    ("repo.maven.apache", "org"),
    ("registry.npmjs", "org"),
    ("deb.debian", "org"),
    ("archive.ubuntu", "com"),
    ("proxy.golang", "org"),
]
"""Hosts in two halves, so that this file passes its own test."""

HOSTS = re.compile("|".join(rf"(?<![\w.-]){re.escape(name)}\.{end}\b" for name, end in REGISTRIES), re.IGNORECASE)


def test_no_file_names_the_host_of_a_package_registry(root: Path, project_files: list[Path]) -> None:
    assert len(project_files) > 50
    found = {
        str(name): match[0]
        for name in project_files
        if (match := HOSTS.search((root / name).read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


@pytest.mark.parametrize(("text", "wrong"), [("https://PyPI.{}/simple", True), ("mypypi.{}x", False), ("pypi", False)])
def test_the_search_for_hosts_finds_what_it_should(text: str, *, wrong: bool) -> None:
    assert bool(HOSTS.search(text.format("org"))) is wrong


def test_every_locked_requirement_is_pinned_and_has_hashes(root: Path) -> None:
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    joined = lock.replace("\\\n", " ")
    requirements = [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(requirements) > 100
    for line in requirements:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", line), line[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line[:80]
        assert not re.search(r"://|--index-url|--extra-index|--find-links", line), line[:80]


def test_every_dependency_of_the_project_is_in_the_lock(root: Path) -> None:
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {
        match[1].lower().replace("_", "-")
        for match in re.finditer(r"^([\w.-]+)(?:\[.*?\])?==", (root / "requirements.lock").read_text(), re.MULTILINE)
    }
    wanted = {re.split(r"[=<>;\[ ]", one)[0].lower() for one in project["dependencies"]}
    assert wanted <= locked


def test_the_lab_script_is_posix_shell(root: Path) -> None:
    assert (root / "lab").read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    shells = [found for name in ("sh", "dash", "bash") if (found := shutil.which(name))]
    for shell in shells:
        options = ["--posix"] if shell.endswith("bash") else []
        checked = subprocess.run([shell, *options, "-n", "lab"], cwd=root, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), shell


def test_the_lab_script_can_be_run(root: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-s", "lab"], cwd=root, capture_output=True, text=True, check=True)
    assert listed.stdout.startswith("100755 ")


def test_every_message_of_the_lab_script_is_said_in_both_languages(root: Path) -> None:
    script = (root / "lab").read_text(encoding="utf-8").replace("\\\n", " ").replace("'\"'\"'", "’")
    said = re.findall(r"^ *say +(.+)$", script, re.MULTILINE)
    assert len(said) >= 5
    for one in said:
        english, chinese = re.findall(r"'([^']*)'", one)
        assert not re.search(r"[\u4e00-\u9fff]", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "Error: Python 3.11"),
        ({"LANG": "zh_TW.UTF-8"}, "錯誤"),
        ({"LAB_LANG": "zh-TW", "LC_ALL": "C"}, "錯誤"),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, "Error"),
    ],
)
def test_without_a_python_the_lab_script_says_which_it_needs(
    environment: dict[str, str], expected: str, root: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("dirname", "cmp", "mkdir", "env"):
        (bare / name).symlink_to(shutil.which(name) or name)
    shutil.copy2(root / "lab", tmp_path / "lab")
    shutil.copy2(root / "requirements.lock", tmp_path / "requirements.lock")
    told = subprocess.run(
        ["/bin/sh", str(tmp_path / "lab"), "status"],
        env={"PATH": str(bare), **environment},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert told.returncode == 1
    assert told.stderr.startswith(expected)
    assert "3.11" in told.stderr
    assert not (tmp_path / ".venv").exists()
