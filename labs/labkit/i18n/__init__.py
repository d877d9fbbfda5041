"""All text of the command line, in both languages, from one catalogue.

`catalogue.toml` holds each message once, its two languages side by side, so that neither can be forgotten:
a test compares keys and placeholders, and finds messages that nothing uses.
"""

from __future__ import annotations

import functools
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Language = Literal["zh-TW", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
CATALOGUE = Path(__file__).with_name("catalogue.toml")

_current: Language = "en"


def language() -> Language:
    """Return the language that messages are in."""
    return _current


def use(choice: Language) -> None:
    """Say all messages from now on in `choice`."""
    global _current  # noqa: PLW0603  one process speaks to one person
    _current = choice


def from_environment(arguments: list[str]) -> Language:
    """Return the language asked for by `--lang`, `LAB_LANG` or the locale, in this order.

    It reads the raw arguments because help texts need it before the command line is parsed. The locale is
    looked up as POSIX has it: the first of LC_ALL, LC_MESSAGES and LANG that is set. Anything that is not
    Chinese, `C` included, gets English.

    Args:
        arguments: The command line without the program's name.
    """
    chosen = os.environ.get("LAB_LANG", "")
    for position, argument in enumerate(arguments):
        if argument == "--lang" and position + 1 < len(arguments):
            chosen = arguments[position + 1]
        elif argument.startswith("--lang="):
            chosen = argument.removeprefix("--lang=")
    if not chosen:
        names = ("LC_ALL", "LC_MESSAGES", "LANG")
        chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh-TW" if chosen.lower().startswith("zh") else "en"


@functools.cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return every message: `section.name` → language → text."""
    tables = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {f"{section}.{name}": texts for section, rows in tables.items() for name, texts in rows.items()}


def t(key: str, /, **values: object) -> str:
    """Return the message `key` in the current language, its placeholders filled with `values`.

    Raises:
        KeyError: The catalogue has no such message, or a placeholder has no value: a mistake of ours.
    """
    text = catalogue()[key][_current]
    return text.format(**values) if values else text


def listed(words: Iterable[object]) -> str:
    """Return words as the current language lists them."""
    return ("、" if _current == "zh-TW" else ", ").join(map(str, words))
