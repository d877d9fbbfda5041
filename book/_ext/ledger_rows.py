"""The seed ledger as data: its rows (`book/ledger.toml`), and how their tests went (`build/ledger.json`).

Apart from the directive, because the tests that prove the rows need this and no Sphinx.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE = ROOT / "book" / "ledger.toml"
TESTS = ROOT / "tests" / "ledger"
RESULTS = ROOT / "build" / "ledger.json"
LANGUAGES = ("en", "zh-TW")

VERDICTS = ("true", "incomplete", "changed", "wrong")
SOURCES = {"core": "3.0.2", "task-sdk": "1.0.2", "kafka": "1.10.0", "amazon": "9.9.0", "messaging": "1.0.3",
           "http": "5.3.1", "standard": "1.3.0"}  # fmt: skip
"""What was read for the verdicts of 3.0: packages of June 2025, and their versions. None of them was run."""


class LedgerError(ValueError):
    """A row that is not whole: which one, and what it lacks."""


@dataclass(frozen=True)
class Section:
    """A part of the seed article."""

    id: str
    title: dict[str, str]


@dataclass(frozen=True)
class Row:
    """One claim of the seed, and what became of it."""

    id: str
    section: str
    chapter: int
    then: str
    now: str
    read: str
    """Where the verdict of 3.0 was read: one of `SOURCES`, a colon, and a file."""
    claim: dict[str, str]
    today: dict[str, str]
    evidence: tuple[str, ...]
    """Files of the installed Airflow, or pull requests as `#43666`."""

    @property
    def test_function(self) -> str:
        """The name of the one test that proves the row."""
        return f"test_{self.id.replace('-', '_')}"

    @property
    def test_file(self) -> str:
        """Where that test is, relative to the checkout."""
        return f"tests/ledger/test_{self.section.replace('-', '_')}.py"


@dataclass(frozen=True)
class Ledger:
    """The whole file."""

    sections: tuple[Section, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Results:
    """How the tests of all rows went, the last time that they were run on these very rows."""

    airflow: str
    date: str
    rows: dict[str, str]


def _in_both(where: str, name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(LANGUAGES) or not all(map(str.strip, value.values())):
        raise LedgerError(f"{where}: {name} must be there in {' and '.join(LANGUAGES)}")
    return value


def _row(raw: dict[str, Any], sections: set[str]) -> Row:
    where = f"row {raw.get('id', '(without an id)')}"
    wanted = set(Row.__dataclass_fields__)
    if missing := sorted(wanted - raw.keys()):
        raise LedgerError(f"{where}: lacks {', '.join(missing)}")
    if unknown := sorted(raw.keys() - wanted):
        raise LedgerError(f"{where}: has no use for {', '.join(unknown)}")
    if raw["section"] not in sections:
        raise LedgerError(f"{where}: there is no section {raw['section']}")
    for when in ("then", "now"):
        if raw[when] not in VERDICTS:
            raise LedgerError(f"{where}: {when} is {raw[when]!r}, and must be one of {', '.join(VERDICTS)}")
    source, _, file = raw["read"].partition(":")
    if source not in SOURCES or not file.strip():
        raise LedgerError(f"{where}: read must be one of {', '.join(SOURCES)}, a colon and a file")
    if not raw["evidence"]:
        raise LedgerError(f"{where}: has no evidence")
    if not isinstance(raw["chapter"], int) or not 1 <= raw["chapter"] <= 9:
        raise LedgerError(f"{where}: chapter must be a number from 1 to 9")
    texts = {name: _in_both(where, name, raw[name]) for name in ("claim", "today")}
    return Row(**{**raw, **texts, "evidence": tuple(raw["evidence"])})


def load(file: Path = FILE) -> Ledger:
    """Read the ledger.

    Raises:
        LedgerError: A row is not whole, or two share an id.
    """
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"{file.name}: {error}") from error
    if missing := [name for name in ("section", "row") if not raw.get(name)]:
        raise LedgerError(f"{file.name}: lacks {' and '.join(missing)}")
    sections = tuple(
        Section(each["id"], _in_both(f"section {each['id']}", "title", each.get("title"))) for each in raw["section"]
    )
    rows = tuple(_row(each, {section.id for section in sections}) for each in raw["row"])
    ids = [row.id for row in rows]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise LedgerError(f"row {twice[0]}: is there twice")
    return Ledger(sections, rows)


def key(root: Path = ROOT) -> str:
    """Return a hash of what the results depend on: the rows, their tests, the locked packages."""
    digest = hashlib.sha256()
    for file in (
        root / "book" / "ledger.toml",
        root / "requirements.lock",
        *sorted((root / "tests/ledger").glob("*.py")),
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def write_results(rows: dict[str, str], *, airflow: str, file: Path = RESULTS) -> None:
    """Keep how the tests went.

    Args:
        rows: Row id → pytest's word for the outcome.
        airflow: The version they ran on.
        file: Where to.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    text = json.dumps({"key": key(), "airflow": airflow, "date": today, "rows": rows}, indent=1)
    draft = file.with_suffix(".new")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(file)


def read_results(file: Path = RESULTS) -> Results | None:
    """Return the results, or None where there are none for these very rows, tests and packages."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["key"] != key():
            return None
        return Results(raw["airflow"], raw["date"], raw["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
