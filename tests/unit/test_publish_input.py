"""`lab publish`: what is a message, and what is refused before it goes anywhere."""

from __future__ import annotations

import pytest

from labkit import i18n
from labkit.commands.publish import parse
from labkit.errors import USAGE, LabError
from labkit.trace import as_text


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"order_id": 1}',
        '{"a": {"b": [1, 2, {"c": null}]}, "d": 1e-3}',
        '{"飲料": "烏龍", "emoji": "🍵"}',
        '{"a": "\\u00e9"}',
        ' \n{"a": 1}\n',
    ],
)
def test_an_object_is_taken_as_it_is(text: str) -> None:
    value = parse(text)
    assert parse(as_text(value)) == value


def test_chinese_characters_are_sent_as_they_are() -> None:
    assert as_text({"飲料": "烏龍", "n": [1, 2]}) == '{"飲料": "烏龍", "n": [1, 2]}'


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "order_id=1", '{"a": 1,}', '{"a": 1} x', '{"a": "\x01"}', "{]"])
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_malformed_json_is_told_with_its_place_and_the_quoting(text: str, language: i18n.Language) -> None:
    i18n.use(language)
    with pytest.raises(LabError, match=r"single quotes|單引號") as refused:
        parse(text)
    assert refused.value.exit_code == USAGE
    assert refused.value.key == "publish.no_json"


@pytest.mark.parametrize("text", ["1", '"text"', "[1, 2]", "null", "true"])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="curly brackets") as refused:
        parse(text)
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": NaN}', "a"),
        ('{"a": Infinity}', "a"),
        ('{"a": -Infinity}', "a"),
        ('{"a": 1e999}', "a"),
        ('{"a": {"b": [0, {"c": NaN}]}}', r"a\.b\[1\]\.c"),
        ('{"a": "x\\u0000y"}', "a"),
        ('{"a": ["\\u0000"]}', r"a\[0\]"),
        ('{"k\\u0000": 1}', ""),
        ('{"a": "\\ud800"}', "a"),
    ],
    ids=["nan", "infinity", "minus infinity", "too big", "nested", "nul", "nul in a list", "nul in a key", "surrogate"],
)
def test_what_the_database_cannot_store_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(LabError, match=rf"at {place}") as refused:
        parse(text)
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(
    "text", ['{"a":' * 100_000 + "1" + "}" * 100_000, '{"a": ' + "9" * 5000 + "}"], ids=["too deep", "too many digits"]
)
def test_json_that_python_gives_up_on_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(LabError) as refused:
        parse(text)
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "這裡給的是陣列。"),
        ("1", "這裡給的是數字。"),
        ("true", "這裡給的是 true 或 false。"),
        ("null", "這裡給的是 null。"),
    ],
)
def test_what_was_given_instead_of_an_object_is_named_without_a_stray_space(text: str, told: str) -> None:
    i18n.use("zh-TW")
    with pytest.raises(LabError) as refused:
        parse(text)
    assert told in str(refused.value)
