"""The catalogue of messages: whole in both languages, and exactly what the code says."""

from __future__ import annotations

import ast
import re
import string
from typing import TYPE_CHECKING, get_args

import opencc
import pytest

from labkit import chaos, cli, i18n, paths
from labkit.stack import PartState
from labkit.trace import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAG_RUN_STATES = ("queued", "running", "success", "failed")
"""As in `airflow/utils/state.py`."""
SPEAKERS = {"t", "LabError", "usage_error"}
"""What takes a key of the catalogue as its first argument."""
NOT_PLACEHOLDERS = {"exit_code", "details"}

CHINESE = r"\u4e00-\u9fff"
HALF_WIDTH = re.compile(
    rf"[{CHINESE}][,;:!?]|[,;:!?][{CHINESE}]|[{CHINESE}]\.(?=\s|$)|\([^()]*[{CHINESE}][^()]*\)|[\"'“”‘’][{CHINESE}]"
)


def dynamic() -> dict[str, set[str]]:
    """Return the messages whose key is put together: the f-string in the code → the keys that can come out."""
    commands = [cli.Commands("lab").get_command(None, name) for name in cli.COMMANDS]  # type: ignore[arg-type]
    options = {
        parameter.name
        for command in commands
        if command
        for parameter in command.params
        if parameter.param_type_name == "option"
    }
    return {
        "help.{}": {f"help.{name}" for name in cli.COMMANDS},
        "option.{}": {f"option.{name}" for name in options},
        "trace.{}": {f"trace.{name}" for name in STAGES},
        "events.{}": {f"events.{name}" for name in DAG_RUN_STATES},
        "json.{}": {f"json.{name}" for name in ("array", "string", "number", "boolean", "null")},
        "fault.{}": {f"fault.{name}" for name in chaos.FAULTS},
        "status.{}": {f"status.{name}" for name in get_args(PartState)},
    }


def sources() -> list[Path]:
    """Return the files that say messages: the engine, the labs, and what `./lab` runs of the tests."""
    return sorted([*paths.LABS.rglob("*.py"), *paths.ROOT.glob("tests/passports/*.py")])


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in the engine and the labs that says a message, with its place."""
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in SPEAKERS
                and node.args
            ):
                yield f"{file.relative_to(paths.ROOT)}:{node.lineno}", node


def said() -> set[str]:
    """Return every string in the engine: whatever is a key of the catalogue is one in use."""
    return {
        node.value
        for file in sources()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_message_is_there_in_both_languages() -> None:
    for key, texts in i18n.catalogue().items():
        assert set(texts) == set(i18n.LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key


def test_both_languages_of_a_message_have_the_same_placeholders() -> None:
    for key, texts in i18n.catalogue().items():
        assert placeholders(texts["en"]) == placeholders(texts["zh-TW"]), key


def test_every_key_that_the_code_uses_exists() -> None:
    known = i18n.catalogue().keys()
    for place, call in calls():
        for node in ast.walk(call.args[0]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value.strip("."):
                assert node.value in known, f"{place} says {node.value!r}"


def test_keys_are_put_together_only_where_this_test_knows_of_it() -> None:
    patterns = {
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in call.args[0].values)
        for _, call in calls()
        if isinstance(call.args[0], ast.JoinedStr)
    }
    assert patterns == dynamic().keys()
    for keys in dynamic().values():
        assert keys <= i18n.catalogue().keys()


def test_no_message_is_left_that_nothing_says() -> None:
    used = said().union(*dynamic().values())
    assert set(i18n.catalogue()) <= used


def test_every_placeholder_gets_a_value_and_no_value_is_given_in_vain() -> None:
    for place, call in calls():
        key = call.args[0]
        if not (isinstance(key, ast.Constant) and key.value in i18n.catalogue()):
            continue
        if any(keyword.arg is None for keyword in call.keywords):
            continue
        given = {keyword.arg for keyword in call.keywords} - NOT_PLACEHOLDERS
        assert given == placeholders(i18n.catalogue()[key.value]["en"]), f"{place}: {key.value}"


def test_chinese_texts_have_full_width_punctuation() -> None:
    for key, texts in i18n.catalogue().items():
        assert not (found := HALF_WIDTH.search(texts["zh-TW"])), f"{key}: {found}"


def test_chinese_texts_have_no_simplified_characters() -> None:
    converter = opencc.OpenCC("s2tw")

    def in_big5(character: str) -> bool:
        try:
            character.encode("cp950")
        except UnicodeEncodeError:
            return False
        return True

    for key, texts in i18n.catalogue().items():
        text = texts["zh-TW"]
        # OpenCC also "mends" what is right in Taiwan, such as 台; what Big5 has not is Simplified for certain.
        wrong = [
            old for old, new in zip(text, converter.convert(text), strict=False) if old != new and not in_big5(old)
        ]
        assert not wrong, key


@pytest.mark.parametrize(
    ("text", "wrong"), [("完成,再見", True), ("好.", True), ("（好）", False), ("用 3.3 版", False)]
)
def test_the_check_of_punctuation_finds_what_it_should(text: str, *, wrong: bool) -> None:
    assert bool(HALF_WIDTH.search(text)) is wrong


def test_the_project_writes_dag_as_airflow_does() -> None:
    for key, texts in i18n.catalogue().items():
        for text in texts.values():
            assert not re.search(r"\bDAGs?\b", text), key
