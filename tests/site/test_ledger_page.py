"""The page of the seed ledger: with results, without, and with a row that is wrong on purpose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from test_ledger import ROW

import ledger_rows
from conftest import LANGUAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extensions with a small book of their own: the page finds its rows and results beside it."""
    root = tmp_path_factory.mktemp("ledger")
    for name in ("_ext", "_static", "_templates", "_locale"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)
    for name in ("conf.py", "requirements.lock", "book/glossary.yml"):
        shutil.copy2(ROOT / name, root / name)
    (root / "labs").symlink_to(ROOT / "labs")  # extensions of other pages read there
    (root / "tests" / "ledger").mkdir(parents=True)
    for lang in LANGUAGES:
        tree = root / "book" / lang
        (tree / "chapters").mkdir(parents=True)
        (tree / "index.md").write_text("# Home\n\n```{toctree}\nseed-ledger\nglossary\nchapters/03-some\n```\n")
        (tree / "seed-ledger.md").write_text("# Ledger\n\n:::{seed-ledger}\n:::\n\n{ref}`it <ledger-a-fact>`\n")
        (tree / "glossary.md").write_text("# Words\n\n:::{glossary-terms}\n:::\n")
        (tree / "chapters" / "03-some.md").write_text("# Some\n")
    return root


def build(project: Path, lang: str, rows: str = ROW) -> subprocess.CompletedProcess[str]:
    """Build the small book."""
    (project / "book" / "ledger.toml").write_text(rows, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-c", project,
         "-d", project / "doctrees" / lang, project / "book" / lang, project / "site" / lang],
        env={**os.environ, "BOOK_LANG": lang},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def page(project: Path, lang: str) -> str:
    """Return the page's text, tags and all, on one line."""
    return " ".join((project / "site" / lang / "seed-ledger.html").read_text(encoding="utf-8").split())


def results(project: Path, rows: dict[str, str], key: str = "") -> None:
    """Put results where the page looks for them."""
    file = project / "build" / "ledger.json"
    ledger_rows.write_results(rows, airflow="3.3.2", file=file)
    text = file.read_text(encoding="utf-8")
    text = text.replace(ledger_rows.key(), key or ledger_rows.key(project))
    file.write_text(re.sub(r'"date": "[^"]*"', '"date": "2026-11-03"', text), encoding="utf-8")


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", ["1 facts", "Chapter 3", "holds", "changed", "Not proved in this build."]),
        ("zh-TW", ["共 1 條敘述", "第 3 章", "成立", "已改變", "這次建置沒有驗證。"]),
    ],
)
def test_page_without_results(project: Path, lang: str, says: list[str]) -> None:
    shutil.rmtree(project / "build", ignore_errors=True)
    done = build(project, lang)
    assert (done.returncode, done.stderr) == (0, "")
    text = page(project, lang)
    assert [each for each in says if each not in text] == []
    assert 'id="ledger-a-fact"' in text
    assert 'href="chapters/03-some.html"' in text
    assert "https://github.com/apache/airflow/pull/43666" in text
    assert "tests/ledger/test_one.py::test_a_fact" in text


def test_page_with_results(project: Path) -> None:
    assert build(project, "en").returncode == 0
    results(project, {"a-fact": "passed"})
    done = build(project, "en")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Every one of them was proved on Airflow 3.3.2, 3 November 2026" in page(project, "en")
    assert "Not proved" not in page(project, "en")
    results(project, {"a-fact": "failed"})
    assert build(project, "en").returncode == 0
    assert "The proof failed on Airflow 3.3.2, 3 November 2026." in page(project, "en")
    results(project, {"a-fact": "passed"}, key="of other rows")
    assert build(project, "en").returncode == 0
    assert "Not proved in this build." in page(project, "en")


def test_broken_row_fails_the_build_with_its_name(project: Path) -> None:
    done = build(project, "en", ROW.replace('now = "changed"', 'now = "maybe"'))
    assert done.returncode != 0
    assert "seed-ledger.md:3: ERROR: ledger.toml: row a-fact: now is 'maybe'" in done.stderr
    assert "Traceback" not in done.stderr
