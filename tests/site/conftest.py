"""A built site, and a small one that is wrong on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh-TW")
URL = "https://course.example/airflow"  # a name that RFC 2606 keeps for such use


def run_sphinx(book: Path, out: Path, lang: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Build one language as `./lab site` does, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOOK_")}
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-n", "--keep-going", "-q", "-c", ROOT, *options,
         "-d", out / "doctrees" / lang, "-b", "html", book / lang, out / "site" / lang],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**kept, "BOOK_LANG": lang, **env},
    )  # fmt: skip


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, subprocess.CompletedProcess[str]]]:
    """The book, built in both languages without running its notebooks: the site's folder, and how it went."""
    out = tmp_path_factory.mktemp("book")
    done = {lang: run_sphinx(ROOT / "book", out, lang, "-W", BOOK_URL=URL) for lang in LANGUAGES}
    site = out / "site"
    site.mkdir(exist_ok=True)
    (site / "index.html").write_bytes((ROOT / "book" / "site-index.html").read_bytes())
    return site, done


@pytest.fixture(scope="session")
def site(builds: tuple[Path, dict[str, subprocess.CompletedProcess[str]]]) -> Path:
    """The built site's folder."""
    folder, done = builds
    for lang in LANGUAGES:
        assert done[lang].returncode == 0, done[lang].stderr
    return folder
