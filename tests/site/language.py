"""What can be told about the words of a page without reading it as a person would."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import autocorrect_py
import opencc
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "book" / "glossary.yml"

CODE = re.compile(
    r"^(?P<fence>`{3,})[^\n]*\n.*?^(?P=fence)\s*$|`[^`\n]+`|\]\([^)\n]*\)|<[^>\n]+>", re.MULTILINE | re.DOTALL
)
HALF_WIDTH = re.compile(
    r"[\u4e00-\u9fff」』）][,;:!?]|[\u4e00-\u9fff]\.(?=\s|$)|\([^()\n]*[\u4e00-\u9fff][^()\n]*\)", re.MULTILINE
)
# OpenCC also mends what is right: it writes 臺 for 台 and 一齣 for 一出. What Big5, the set of Traditional characters,
# lacks is Simplified for certain; of what it has, these two are what converted texts get wrong.
OFTEN_CONVERTED = "后里"
QUOTES = re.compile(r"[“”‘’]|(?<=[\u4e00-\u9fff])\"|\"(?=[\u4e00-\u9fff])")
SHOUTED = re.compile(r"\bDAGs?\b")

# Code in a page is Python or a shell's; only its comments could be mended, and they are not prose.
autocorrect_py.load_config(  # type: ignore[attr-defined]  # its stub forgets it
    json.dumps({"context": {"codeblock": 0}})
)


def prose(markdown: str) -> str:
    """Blank out code, addresses and tags, keeping every line where it is."""
    return CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), markdown)


@cache
def glossary() -> dict[str, Any]:
    """Return the glossary file."""
    return dict(yaml.safe_load(GLOSSARY.read_text(encoding="utf-8")))


@cache
def unwanted() -> dict[str, str]:
    """Return banned words and what to write instead."""
    rows = glossary()
    banned = {word: term["zh"] for term in rows["terms"] for word in term.get("banned", ())}
    return banned | rows["avoid"]  # type: ignore[no-any-return]


def _lines(text: str, pattern: re.Pattern[str], message: str) -> Iterator[str]:
    for found in pattern.finditer(text):
        yield f"line {text.count(chr(10), 0, found.start()) + 1}: {message.format(found[0])}"


def spacing_defects(text: str) -> list[str]:
    """Return spacing and punctuation that autocorrect would change."""
    return [
        f"line {line.line}: {line.old!r} should be {line.new!r}"
        for line in autocorrect_py.lint_for(text, "markdown").lines
    ]


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("s2tw")  # loading its dictionaries takes 0.1 s


def _in_big5(character: str) -> bool:
    try:
        character.encode("cp950")
    except UnicodeEncodeError:
        return False
    return True


def chinese_defects(text: str) -> list[str]:
    """Return Simplified characters, unwanted words and foreign punctuation in a Chinese text."""
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        if (traditional := _converter().convert(line)) != line:
            out += [
                f"line {number}: {old} should be {new}"
                for old, new in zip(line, traditional, strict=False)
                if old != new and (old in OFTEN_CONVERTED or not _in_big5(old))
            ]
    words = prose(text)
    for word, better in unwanted().items():
        out += _lines(words, re.compile(re.escape(word)), f"{{}}: write {better}")
    out += _lines(words, HALF_WIDTH, "{!r}: punctuation should be full-width")
    out += _lines(words, QUOTES, "{!r}: quotation marks are 「」")
    return out


def spelling_of_dag(text: str) -> list[str]:
    """Return where `DAG` stands in prose; the project, like Airflow since 3.0, writes Dag."""
    return list(_lines(prose(text), SHOUTED, "{}: write Dag"))


def chinese_values(node: object) -> Iterator[str]:
    """Walk parsed TOML and yield what stands under `zh-TW`."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "zh-TW":
                yield from [value] if isinstance(value, str) else value
            else:
                yield from chinese_values(value)
    elif isinstance(node, list):
        for item in node:
            yield from chinese_values(item)
