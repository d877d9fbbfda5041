"""The ledger as such: each row has its test, each test its row, and the evidence is where it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import airflow
import pytest

import ledger_rows

HERE = Path(__file__).parent
PACKAGES = Path(airflow.__file__).parents[1]
LEDGER = ledger_rows.load()
BEYOND = {"test_cleaning.py", "test_triggerers.py"}
"""What chapter 7 says of which the seed says nothing, tested in the same world."""


def functions_in(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_each_row_has_one_test_and_each_test_a_row() -> None:
    wanted = sorted((row.test_file, row.test_function) for row in LEDGER.rows)
    files = [file for file in sorted(HERE.glob("test_*.py")) if file.name not in {Path(__file__).name, *BEYOND}]
    found = sorted((f"tests/ledger/{file.name}", name) for file in files for name in functions_in(file))
    assert found == wanted


def test_the_seed_is_covered() -> None:
    assert len(LEDGER.rows) >= 40
    assert {row.section for row in LEDGER.rows} == {section.id for section in LEDGER.sections}
    assert {row.chapter for row in LEDGER.rows} == set(range(1, 9)), "chapter 9, the capstone, adds no fact"


@pytest.mark.parametrize("row", LEDGER.rows, ids=lambda row: row.id)
def test_evidence_is_there(row: ledger_rows.Row) -> None:
    for each in row.evidence:
        assert re.fullmatch(r"#\d+", each) or (PACKAGES / each).is_file(), each


@pytest.mark.parametrize("row", LEDGER.rows, ids=lambda row: row.id)
def test_verdicts_agree(row: ledger_rows.Row) -> None:
    """What was not so then cannot have changed since, and what changed cannot hold again without a word."""
    allowed = {
        "true": {"true", "incomplete", "changed"},
        "incomplete": {"incomplete", "changed", "true"},
        "changed": {"changed"},
        "wrong": {"wrong"},
    }
    assert row.now in allowed[row.then]
