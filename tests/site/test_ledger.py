"""The rows of the seed ledger: their words, and what is told of one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import language
import pytest

import ledger_rows

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
