"""The labs' notebooks, run cell by cell against the running stack."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from driver import Checkout

PAGES = sorted((Path(__file__).parents[2] / "book" / "en" / "labs").glob("*.md"))
OPTIONS = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".", "--nbmake-timeout=240")
"""For pytest: none of the project's own configuration."""


def run(checkout: Checkout, tmp: Path, *words: str) -> str:
    """Run Python in the checkout; what notebooks leave in TMPDIR is not the stack's."""
    done = subprocess.run(
        [".venv/bin/python", *words],
        cwd=checkout.root,
        env={**checkout.environment, "PYTHONPATH": str(checkout.root / "labs"), "TMPDIR": str(tmp)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not PAGES, reason="no lab has a page yet")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_runs_from_top_to_bottom(page: Path, running: Checkout, tmp_path: Path) -> None:
    run(running, tmp_path, "-c", "from labkit import notebook_files; notebook_files.write(anew=True)")
    for language in ("en", "zh-TW"):
        assert (running.root / "build" / "notebooks" / language / f"{page.stem}.ipynb").exists()
    # One language will do: a test of the site proves that the cells of both are the same.
    notebook = f"build/notebooks/en/{page.stem}.ipynb"
    told = run(running, tmp_path, "-m", "pytest", "--nbmake", *OPTIONS, notebook)
    assert "1 passed" in told


def test_a_cell_that_fails_fails_the_notebook(running: Checkout, tmp_path: Path) -> None:
    code = (
        "import nbformat.v4 as v, nbformat, sys;"
        "nb = v.new_notebook(cells=[v.new_code_cell('from labkit.notebook import lab'),"
        " v.new_code_cell('lab.publish(\"no-such-topic\", {})')]);"
        "nbformat.write(nb, sys.argv[1])"
    )
    broken = tmp_path / "broken.ipynb"
    run(running, tmp_path, "-c", code, str(broken))
    done = subprocess.run(
        [
            ".venv/bin/python",
            "-m",
            "pytest",
            "--nbmake",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
            str(broken),
        ],
        cwd=running.root,
        env={**running.environment, "PYTHONPATH": str(running.root / "labs"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "no-such-topic" in done.stdout
