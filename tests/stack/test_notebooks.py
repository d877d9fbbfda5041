"""The labs' notebooks, run cell by cell against the running stack."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat import v4

if TYPE_CHECKING:
    from driver import Checkout

PAGES = sorted((Path(__file__).parents[2] / "book" / "en" / "labs").glob("*.md"))
OPTIONS = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".", "--nbmake-timeout=240")
"""For pytest: none of the project's own configuration."""


def run(checkout: Checkout, tmp: Path, *words: str, code: int = 0) -> str:
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
    assert done.returncode == code, done.stdout + done.stderr
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
    cells = ["from labkit.notebook import Notebook\nlab = Notebook('03')", "lab.publish('no-such-topic', {})"]
    broken = tmp_path / "broken.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells]), broken)
    told = run(running, tmp_path, "-m", "pytest", "--nbmake", *OPTIONS, str(broken), code=1)
    assert "no-such-topic" in told
