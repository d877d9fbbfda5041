"""Which language the command line speaks."""

from __future__ import annotations

import pytest

from labkit import config, i18n
from labkit.i18n import from_environment


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, "en"),
        ([], {"LANG": "C"}, "en"),
        ([], {"LANG": "POSIX"}, "en"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LANG": "zh_TW.UTF-8"}, "zh-TW"),
        ([], {"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "C", "LC_MESSAGES": "zh_TW"}, "zh-TW"),
        ([], {"LANG": "zh_TW.UTF-8", "LC_MESSAGES": "en_US.UTF-8", "LC_ALL": ""}, "en"),
        ([], {"LANG": "C", "LAB_LANG": "zh-TW"}, "zh-TW"),
        ([], {"LANG": "zh_TW.UTF-8", "LAB_LANG": "en"}, "en"),
        (["start", "--lang", "zh-TW"], {"LAB_LANG": "en"}, "zh-TW"),
        (["--lang=en", "start"], {"LAB_LANG": "zh-TW"}, "en"),
        (["--lang", "en", "start", "--lang", "zh-TW"], {}, "zh-TW"),
        (["start", "--lang"], {"LANG": "zh_TW"}, "zh-TW"),
    ],
)
def test_the_option_comes_before_lab_lang_and_lab_lang_before_the_locale(
    arguments: list[str], environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert from_environment(arguments) == expected


def test_texts_come_in_the_language_in_use() -> None:
    texts = {"en": "yes", "zh-TW": "是"}
    assert (config.in_language(texts), i18n.t("doctor.yes")) == ("yes", "reachable")
    i18n.use("zh-TW")
    assert (config.in_language(texts), i18n.t("doctor.yes")) == ("是", "連得上")
    assert config.in_language(texts, "en") == "yes"


def test_braces_in_a_value_are_shown_as_they_are() -> None:
    assert '{"a": 1}' in i18n.t("cli.system", reason='{"a": 1}')
