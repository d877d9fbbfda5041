"""`lab test`: stages in order, others beside one, what each says shown whole, the last words those of the last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from labkit import checks
from labkit.checks import MAIN, Stage

if TYPE_CHECKING:
    from pathlib import Path


def saying(name: str, words: str, *, code: int = 0, beside: bool = False) -> Stage:
    return Stage(name, ("-c", f"print({words!r}); raise SystemExit({code})"), beside=beside)


def meeting(name: str, first: str, other: str, *, beside: bool = False) -> Stage:
    """A stage that succeeds only while another runs: each makes a file and waits for the other's."""
    program = (
        "import pathlib, time\n"
        f"pathlib.Path({first!r}).touch()\n"
        "for _ in range(400):\n"
        f"    if pathlib.Path({other!r}).exists(): raise SystemExit(0)\n"
        "    time.sleep(0.05)\n"
        "raise SystemExit(1)"
    )
    return Stage(name, ("-c", program), beside=beside)


def test_those_beside_run_while_the_main_one_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    checks.run_all([meeting(MAIN, here, there), meeting("other", there, here, beside=True)])
    assert "other" in capfd.readouterr().out


def test_without_the_main_one_they_run_like_any_other(capfd: pytest.CaptureFixture[str]) -> None:
    checks.run_all([saying("one", "first", beside=True), saying("two", "second", beside=True)])
    out = capfd.readouterr().out
    assert re.search(r"1/2 one.*first.*2/2 two.*second\n$", out, re.DOTALL)


def test_the_last_words_are_those_of_the_last_stage(capfd: pytest.CaptureFixture[str]) -> None:
    stages = [saying(MAIN, "stacked"), saying("a", "aside"), saying("b", "7 passed", beside=True)]
    checks.run_all(stages)
    assert capfd.readouterr().out.endswith("7 passed\n")


@pytest.mark.parametrize("failing", [MAIN, "beside", "first"])
def test_one_that_fails_fails_the_whole(failing: str, capfd: pytest.CaptureFixture[str]) -> None:
    stages = [
        saying("first", "1", code=failing == "first"),
        saying(MAIN, "2", code=failing == MAIN),
        saying("beside", "its own words", code=failing == "beside", beside=True),
    ]
    with pytest.raises(SystemExit) as ended:
        checks.run_all(stages)
    out = capfd.readouterr().out
    assert ended.value.code == 1
    assert f"{failing} failed." in out
    assert ("its own words" in out) == (failing == "beside")


def test_those_beside_come_last() -> None:
    kinds = [stage.beside for stage in checks.STAGES]
    assert kinds == sorted(kinds)
    assert [stage.name for stage in checks.STAGES if stage.name == MAIN]


def test_what_runs_beside_has_temporary_files_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "import os, tempfile as t; print('in', t.gettempdir()); print('others', os.stat(t.gettempdir()).st_mode & 1)"
    )
    checks.run_all([Stage(MAIN, ("-c", program)), Stage("other", ("-c", program), beside=True)])
    out = capfd.readouterr().out
    here, there = re.findall(r"^in (.+)$", out, re.MULTILINE)
    assert here != there
    assert re.findall(r"^others (.+)$", out, re.MULTILINE)[1] == "1", "PostgreSQL's user has to come in"
