"""The calculator in a browser: the same answers as `labkit.plan`, told in words, and bad input is named."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from test_browser import base, browser, visit  # noqa: F401  fixtures

import scale_chart
import scale_numbers
from conftest import LANGUAGES, ROOT
from labkit import plan
from labkit.plan import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from test_browser import Visit

PAGE = "capacity"
RECORD = scale_chart.load()
CASES = [
    Asked(rate=rate, pattern=pattern, batch=batch, **more)
    for (pattern, batch), rate, more in itertools.product(
        [("single", 1), ("single", 10), ("stream", 1), ("batch", 500)],
        [0.01, 1, 40, 100_000],
        [
            {},
            {"watchers": 10, "triggerers": 2, "cores": 8, "poll": 60},
            {"dags": 3, "tasks": 4, "task_seconds": 2.5, "latency": 5, "active": 1, "slots": 4},
        ],
    )
]
"""Every pattern, from a message in two minutes to a firehose, on three installations."""


def flat(told: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without levels, and with words for what JSON has no number for."""
    return {**{name: value for name, value in told.items() if name != "loads"}, **told["loads"]}


@pytest.mark.browser
@pytest.mark.usefixtures("browser", "base")
def test_the_page_foresees_what_the_command_foresees(visit: Visit) -> None:  # noqa: F811
    page = visit.open(f"en/{PAGE}.html")
    asked = [dataclasses.asdict(one) for one in CASES]
    program = """([asked, constants]) => asked.map((one) => {
        const told = capacityPlan.foresee(one, constants);
        return JSON.parse(JSON.stringify(told, (_, value) => value === Infinity ? "for ever" : value));
    })"""
    answers = page.evaluate(program, [asked, RECORD["constants"]])
    for one, answer in zip(CASES, answers, strict=True):
        expected = flat(dataclasses.asdict(plan.foresee(one, plan.Constants.of(RECORD))))
        told = flat(answer)
        assert told.keys() == expected.keys()
        for name, value in expected.items():
            known = "for ever" if isinstance(value, float) and math.isinf(value) else value
            assert told[name] == (pytest.approx(known, rel=1e-9) if isinstance(known, float) else known), (one, name)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("lang", "first", "fault"),
    [
        ("en", "First limit: what a trigger takes in a turn", "A number, please."),
        ("zh-TW", "最先碰到的上限：觸發器一輪", "請填數字。"),
    ],
)
def test_a_reader_changes_a_field_and_reads_the_answer(lang: str, first: str, fault: str, visit: Visit) -> None:  # noqa: F811
    page = visit.open(f"{lang}/{PAGE}.html")
    box = page.locator("[data-capacity]")
    rate = box.locator("input[name=rate]")
    rate.fill("5")
    expect(box.locator("[data-first]")).to_contain_text(first)
    expect(box.locator("tr[data-limit=turn]")).to_have_class(re.compile("first over|over first"))
    before = box.locator("[data-lines]").inner_text()
    rate.fill("five")
    expect(box.locator("#plan-rate-fault")).to_have_text(fault)
    expect(rate).to_have_attribute("aria-invalid", "true")
    assert box.locator("[data-lines]").inner_text() == before  # the last answer stays until there is a new one
    box.locator("[data-example]").last.click()
    expect(rate).to_have_value("100000")
    expect(box.locator("#plan-rate-fault")).to_have_text("")
    assert box.locator("[data-lines]").inner_text() != before
    box.locator("select[name=pattern]").select_option("stream")
    expect(box.locator("input[name=batch]")).to_be_disabled()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_has_every_field_and_every_limit_of_the_engine(lang: str, site: Path) -> None:
    page = (site / lang / f"{PAGE}.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', page)) >= {
        field.name for field in dataclasses.fields(Asked)
    }
    limits = plan.foresee(Asked(), plan.Constants.of(RECORD)).loads
    assert set(re.findall(r'data-limit="(\w+)"', page)) == set(limits)
    assert scale_numbers.spoken(lang)["limits"].keys() == set(limits)


def test_examples_and_fields_are_such_as_the_engine_takes() -> None:
    for lang in LANGUAGES:
        words = scale_numbers.FORM[lang]
        assert set(words["field"]) == {field.name for field in dataclasses.fields(Asked)}
        assert set(words["example"]) == {name for name, _ in scale_numbers.EXAMPLES}
    for _, given in scale_numbers.EXAMPLES:
        plan.foresee(Asked(**given), plan.Constants.of(RECORD))


def test_a_number_that_the_record_has_not_fails_the_build() -> None:
    known = scale_chart.facts(RECORD)
    for lang in LANGUAGES:
        text = (ROOT / "book" / lang / f"{PAGE}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"\{scale\}`([^`]+)`", text)) <= known.keys()


def test_the_constants_on_the_page_are_those_of_the_record(site: Path) -> None:
    page = (site / "en" / f"{PAGE}.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["constants"] == RECORD["constants"]
