"""The seed ledger: its words, its page with results and without, and a row that is wrong on purpose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import language
import pytest

import ledger_rows
from conftest import LANGUAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = ledger_rows.load()
ROW = """
[[section]]
id = "one"
title = { en = "One", zh-TW = "一" }

[[row]]
id = "a-fact"
section = "one"
chapter = 3
then = "true"
now = "changed"
read = "core: airflow/models/asset.py"
claim = { en = "It `was` so.", zh-TW = "以前 `是`。" }
today = { en = "It is not.", zh-TW = "現在不是。" }
evidence = ["airflow/models/asset.py", "#43666"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extensions with a small book of their own: the page finds its rows and results beside it."""
    root = tmp_path_factory.mktemp("ledger")
    for name in ("_ext", "_static", "_templates", "_locale"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)
    for name in ("conf.py", "requirements.lock", "book/glossary.yml"):
        shutil.copy2(ROOT / name, root / name)
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


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('now = "changed"\n', "", "row a-fact: lacks now"),
        ('now = "changed"', 'now = "maybe"', "row a-fact: now is 'maybe', and must be one of true, incomplete"),
        ('section = "one"', 'section = "two"', "row a-fact: there is no section two"),
        ("chapter = 3", "chapter = 30", "row a-fact: chapter must be a number from 1 to 9"),
        ('evidence = ["airflow/models/asset.py", "#43666"]', "evidence = []", "row a-fact: has no evidence"),
        ('en = "It is not.", ', "", "row a-fact: today must be there in en and zh-TW"),
        ('"core: airflow', '"memory: airflow', "row a-fact: read must be one of core,"),
        ('id = "a-fact"', 'id = "a-fact"\nauthor = "me"', "row a-fact: has no use for author"),
        ('id = "a-fact"\n', "", r"row \(without an id\): lacks id"),
        ("chapter = 3", "chapter = ", "ledger.toml: Invalid"),
        ("[[row]]", "[[line]]", "lacks row"),
    ],
)
def test_broken_row_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ROW
    file = tmp_path / "ledger.toml"
    file.write_text(ROW.replace(old, new), encoding="utf-8")
    with pytest.raises(ledger_rows.LedgerError, match=told):
        ledger_rows.load(file)


def test_row_that_is_there_twice_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(ROW + ROW[ROW.index("[[row]]") :], encoding="utf-8")
    with pytest.raises(ledger_rows.LedgerError, match="row a-fact: is there twice"):
        ledger_rows.load(file)


def test_broken_row_fails_the_build_with_its_name(project: Path) -> None:
    done = build(project, "en", ROW.replace('now = "changed"', 'now = "maybe"'))
    assert done.returncode != 0
    assert "seed-ledger.md:3: ERROR: ledger.toml: row a-fact: now is 'maybe'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": "x"}', "not JSON"])
def test_results_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ledger.json"
    file.write_text(text, encoding="utf-8")
    assert ledger_rows.read_results(file) is None


@pytest.mark.parametrize("row", LEDGER.rows, ids=lambda row: row.id)
def test_words_of_a_row(row: ledger_rows.Row) -> None:
    for text in (row.claim, row.today):
        chinese = text["zh-TW"]
        defects = language.chinese_defects(chinese) + language.spacing_defects(chinese)
        defects += language.spelling_of_dag(chinese) + language.spelling_of_dag(text["en"])
        assert not defects, "\n".join(defects)
