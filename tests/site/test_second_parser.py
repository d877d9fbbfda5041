"""Another MyST parser, Jupyter Book 2's mystmd, reads the pages as well.

The site is built by Sphinx. Reading the sources with a second parser keeps them MyST, and not merely what one parser
happens to accept. mystmd's exit code is 0 whatever it prints, so what it prints is looked at. Building needs no network
as long as the target is Markdown.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import LANGUAGES, ROOT

PLUGIN = Path(__file__).parent / "mystmd" / "course.mjs"
SETTINGS = f"""\
version: 1
project:
  title: check
  plugins:
    - {PLUGIN}
"""

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="mystmd runs on Node.js, which is not here")


def complaints(book: Path, lang: str) -> list[str]:
    """Return mystmd's errors about the pages of one language; its trouble with writing them out again is not ours."""
    tree = book / lang
    (tree / "myst.yml").write_text(SETTINGS, encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", "index.md", "--md"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "Built " in said, said
    return sorted({line for line in said.splitlines() if line.startswith("⛔") and "_build/exports" not in line})


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A copy, since mystmd writes beside the sources."""
    for folder in ("book", "labs", "docker", "tests/bench_triggers"):  # the pages, and what they include
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    return tmp_path / "book"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mystmd_reads_every_page(book: Path, lang: str) -> None:
    assert complaints(book, lang) == []


@pytest.mark.parametrize(
    "defect", ["{nonsense}`x`", ":::{nonsense}\nx\n:::", ":::{predict}\n:::{nonsense}\nx\n:::\n:::"]
)
def test_mystmd_can_complain(book: Path, defect: str) -> None:
    with (book / "en" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n{defect}\n")
    assert any("nonsense" in line for line in complaints(book, "en"))
