"""The broker passports as data: what wheels and runs say (`book/passports/*.json`), and what people judge.

Apart from the directives, because the tests need this and no Sphinx.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BOOK = Path(__file__).parents[1]
JUDGEMENTS = BOOK / "passports.toml"
FOLDER = BOOK / "passports"
NUMBERS = BOOK / "broker-numbers.json"
"""What `./lab bench brokers --record` measured; passports do without where there is none."""

LANGUAGES = ("en", "zh-TW")
ACKS = {"before": "acknowledged", "on-read": "acknowledged", "after": "place-not-saved", "never": "keeps-nothing"}
"""What people say of the moment of acknowledging → what a run has to have shown at the hand-over."""

TEXTS = ("moment", "lost", "doubled", "care")


class PassportError(ValueError):
    """A judgement or passport that is not whole: which, and what it lacks."""


@dataclass(frozen=True)
class Passport:
    """One scheme.

    Attributes:
        name: The scheme.
        page: Its page below `passports/`.
        ack: One of `ACKS`.
        since: When it came: `version`, `pull`, and where there are such, `before` and `queue`.
        texts: What people say of it, by name and language: `TEXTS`, and `switched` where there is a switch.
        looked: The digest of the code that people looked at.
        measured: Its row in `broker-numbers.json`, if any.
        wheel: What was read and run: see `tests/passports/look.py`.
    """

    name: str
    page: str
    ack: str
    since: dict[str, Any]
    texts: dict[str, dict[str, str]]
    looked: str
    measured: str
    wheel: dict[str, Any] = field(repr=False)

    @property
    def run(self) -> dict[str, Any]:
        """What was seen when it ran."""
        found: dict[str, Any] = self.wheel["run"]
        return found


def load(judgements: Path = JUDGEMENTS, folder: Path = FOLDER) -> list[Passport]:
    """Read all passports, in the order of the file of judgements.

    Raises:
        PassportError: Something is missing.
    """
    try:
        rows = tomllib.loads(judgements.read_text(encoding="utf-8"))["scheme"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise PassportError(f"{judgements.name}: {error}") from error
    return [_passport(row, folder) for row in rows]


def _passport(row: dict[str, Any], folder: Path) -> Passport:
    where = f"scheme {row.get('name', '(without a name)')}"
    wanted = ["name", "page", "queue", "ack", "looked", "since", "line", *TEXTS]
    wanted += ["switched"] if "switch" in row else []
    if missing := [name for name in wanted if name not in row]:
        raise PassportError(f"{where}: lacks {', '.join(missing)}")
    if row["ack"] not in ACKS:
        raise PassportError(f"{where}: ack is {row['ack']!r}, and must be one of {', '.join(ACKS)}")
    texts = {name: row[name] for name in (*TEXTS, "switched") if name in row}
    for name, text in texts.items():
        if not isinstance(text, dict) or set(text) != set(LANGUAGES) or not all(map(str.strip, text.values())):
            raise PassportError(f"{where}: {name} must be there in {' and '.join(LANGUAGES)}")
    file = folder / f"{row['page']}.json"
    try:
        wheel = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PassportError(f"{where}: {file.name} cannot be read; `./lab passports` writes it") from error
    chosen = {name: row[name] for name in ("name", "page", "ack", "since", "looked")}
    return Passport(**chosen, texts=texts, measured=row.get("measured", ""), wheel=wheel)


def numbers(passport: Passport) -> dict[str, float] | None:
    """Return what was measured of a scheme: `sustained` events a second, and `delay` in seconds at half of that."""
    if not passport.measured or not NUMBERS.exists():
        return None
    rows = json.loads(NUMBERS.read_text(encoding="utf-8"))["contenders"]
    row = next((one for one in rows if one["name"] == passport.measured), None)
    if row is None:
        raise PassportError(f"scheme {passport.name}: {NUMBERS.name} has no {passport.measured}")
    return {"sustained": row["sustained"], "delay": row["half"]["recorded"]["p50"]}
