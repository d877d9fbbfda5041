"""The broker passports' words and drawing, and what is told of data that is wrong."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import language
import pytest

import passport_data
import passport_picture
import passports as passport_pages
from conftest import LANGUAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

PASSPORTS = passport_data.load()


@pytest.mark.parametrize("passport", PASSPORTS, ids=lambda passport: passport.name)
def test_words_of_a_judgement(passport: passport_data.Passport) -> None:
    for text in passport.texts.values():
        chinese = text["zh-TW"]
        defects = language.chinese_defects(chinese) + language.spacing_defects(chinese)
        defects += language.spelling_of_dag(chinese) + language.spelling_of_dag(text["en"])
        assert not defects, "\n".join(defects)


def test_pages_and_passports_are_the_same_ones() -> None:
    for lang in LANGUAGES:
        pages = {file.stem for file in (ROOT / "book" / lang / "passports").glob("*.md")}
        assert pages == {one.page for one in PASSPORTS}
    assert {file.stem for file in passport_data.FOLDER.glob("*.json")} == {one.page for one in PASSPORTS}


def test_what_a_page_can_say_is_there_in_both_languages() -> None:
    def shape(words: object) -> object:
        return {name: shape(value) for name, value in words.items()} if isinstance(words, dict) else type(words)

    assert shape(passport_pages.WORDS["en"]) == shape(passport_pages.WORDS["zh-TW"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_drawing_is_one_for_those_who_cannot_see_it_too(lang: str) -> None:
    svg = ET.fromstring(passport_picture.draw(PASSPORTS, lang))  # noqa: S314  our own
    assert svg.get("role") == "img"
    assert svg[0].tag == "title"
    for one in PASSPORTS:
        assert one.name in (svg[1].text or ""), "told in <desc>"
    marks = [node for node in svg if node.tag == "circle"]
    assert len(marks) == sum(one.ack != "never" for one in PASSPORTS) + 2, (
        "one for each that acknowledges; stream; legend"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('ack = "before"', 'ack = "maybe"', "scheme sqs: ack is 'maybe', and must be one of before, on-read"),
        ('page = "sqs"\n', "", "scheme sqs: lacks page"),
        (
            'page = "sqs"\n',
            'page = "nothing"\n',
            r"scheme sqs: nothing\.json cannot be read; `./lab passports` writes it",
        ),
        ('lost = { en = "', 'lost = { xx = "', "scheme sqs: lost must be there in en and zh-TW"),
        ("[[scheme]]", "[[line]]", "passports.toml: 'scheme'"),
        ('name = "sqs"', "name = ", "passports.toml: Invalid"),
    ],
)
def test_broken_judgement_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = passport_data.JUDGEMENTS.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "passports.toml"
    file.write_text(text.replace(old, new) if old == "[[scheme]]" else text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(passport_data.PassportError, match=told):
        passport_data.load(file)


def test_numbers_are_taken_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = next(one for one in PASSPORTS if one.name == "kafka")
    monkeypatch.setattr(passport_data, "NUMBERS", tmp_path / "broker-numbers.json")
    assert passport_data.numbers(kafka) is None, "no record"
    row = {"name": "kafka-single", "sustained": 0.4, "half": {"recorded": {"p50": 1.5}}}
    passport_data.NUMBERS.write_text(json.dumps({"contenders": [row]}), encoding="utf-8")
    assert passport_data.numbers(kafka) == {"sustained": 0.4, "delay": 1.5}
    passport_data.NUMBERS.write_text('{"contenders": []}', encoding="utf-8")
    with pytest.raises(passport_data.PassportError, match=r"scheme kafka: broker-numbers\.json has no kafka-single"):
        passport_data.numbers(kafka)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_page_shows_what_the_passport_holds(site: Path, lang: str) -> None:
    for one in PASSPORTS:
        page = (site / lang / "passports" / f"{one.page}.html").read_text(encoding="utf-8")
        text = re.sub(r"<[^>]+>", "", page)
        shown = [one.wheel["package"], one.wheel["version"], *(each["name"] for each in one.wheel["parameters"])]
        shown += [f"{line['file'].rpartition('/')[2]}:{line['line']}" for line in one.wheel["lines"]]
        assert [each for each in shown if each not in text] == [], one.name
        assert f'id="passport-{one.page}-ack"' in page
        if one.run["on"].startswith("answers"):
            assert passport_pages.WORDS[lang]["answers"][one.run["on"]].split("**")[1] in text, (
                "says that no cloud was asked"
            )
        assert "**" not in text, "bold that was not understood"


def test_table_and_drawing_are_on_the_overview(site: Path) -> None:
    for lang in LANGUAGES:
        page = (site / lang / "broker-passports.html").read_text(encoding="utf-8")
        assert page.count("passport-table") == 1
        assert all(f'href="passports/{one.page}.html"' in page for one in PASSPORTS)
        assert "passport-moments" in page


def test_copy_of_a_record_reads_the_same(tmp_path: Path) -> None:
    shutil.copytree(passport_data.FOLDER, tmp_path / "passports")
    assert passport_data.load(folder=tmp_path / "passports") == PASSPORTS
