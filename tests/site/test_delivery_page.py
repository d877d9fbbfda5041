"""Chapter 6, second half: all that was counted is on the page, and the lines it names are those of the wheels."""

from __future__ import annotations

import json
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import language
import pytest

import chaos_table
from conftest import LANGUAGES, ROOT
from labkit import chaos, config

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "chapters/06-delivery"
ROWS = json.loads(chaos_table.COUNTED.read_text(encoding="utf-8"))
LINES = {
    "airflow/providers/apache/kafka/triggers/await_message.py": {145: "async_commit(", 146: "yield", 147: "break"},
    "airflow/jobs/triggerer_job_runner.py": {
        757: "self.on_trigger_event(",
        762: "persisted_event_seqs.append(",
        596: "while self.persisted_event_seqs",
        1523: "confirm_persisted(",
    },
    "airflow/providers/apache/kafka/triggers/shared_stream.py": {
        239: "self._commit",
        286: "_consumer.commit(",
        293: "def _send_to_dlq(",
    },
    "airflow/providers/amazon/aws/triggers/sqs.py": {198: "delete_message_batch(", 231: "yield"},
    "airflow/providers/redis/triggers/redis_await_message.py": {63: "subscribe(", 74: "yield"},
    "airflow/providers/standard/triggers/file.py": {226: "unlink(", 232: "yield"},
}
"""What stands at the lines that the page names."""


def text(lang: str) -> str:
    return (ROOT / "book" / lang / f"{PAGE}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_row_that_was_counted_is_on_the_page_with_its_outcome(site: Path, lang: str) -> None:
    page = (site / lang / f"{PAGE}.html").read_text(encoding="utf-8")
    shown = {name: " ".join(re.sub("<[^>]+>", " ", body).split()) for name, body in LINE.findall(page)}
    without = {
        f"{card.name}-{fault}": (fault, why[lang]) for card in chaos_table.load() for fault, why in card.without.items()
    }
    assert shown.keys() == {f"{row['scheme']}-{row['fault']}" for row in ROWS} | without.keys()
    for cell, (fault, reason) in without.items():
        assert shown[cell] == f"{fault} {chaos_table.WORDS[lang]['without'].format(reason=reason)}"
    for row in ROWS:
        words = [words for _, words in chaos_table.verdicts(row, lang)]
        assert shown[f"{row['scheme']}-{row['fault']}"] == " ".join([row["fault"], *words])


LINE = re.compile(r'<li class="chaos-of-([\w-]+)">(.*?)</li>', re.DOTALL)


def test_what_a_line_says_is_what_was_counted() -> None:
    row = {"lost": 0, "doubled": 0, "refused": 0, "late": 0, "longest": 4.33}
    assert chaos_table.verdicts(row, "en") == [("ok", "ok")]
    assert chaos_table.verdicts({**row, "lost": 1, "late": 1, "longest": 26.6}, "en") == [
        ("lost", "1 lost"),
        ("late", "late: 26.6 s"),
    ]
    assert chaos_table.verdicts({**row, "doubled": 2}, "zh-TW") == [("doubled", "重複 2 次")]
    assert [kind for kind, _ in chaos_table.verdicts({**row, "refused": 1}, "zh-TW")] == ["dead"]


def test_a_fault_is_on_each_card_once_as_counted_or_with_the_reason_why_not() -> None:
    for card in chaos_table.load():
        assert sorted([*card.rows, *card.without]) == sorted(chaos.FAULTS)
        assert not card.missing
    assert {card.name for card in chaos_table.load()} == {row["scheme"] for row in ROWS}
    assert {card.name for card in chaos_table.load()} == {target.name for _, target in config.targets()}


def test_what_was_not_run_is_told_where_the_file_lacks_it(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    file.write_text(json.dumps([row for row in ROWS if (row["scheme"], row["fault"]) != ("sqs", "poison")]), "utf-8")
    assert {card.name: card.missing for card in chaos_table.load(file) if card.missing} == {"sqs": ["poison"]}


def test_the_table_knows_the_faults_that_the_command_knows_and_how_long_they_last() -> None:
    assert tuple(chaos_table.faults()) == chaos.FAULTS
    for fault, seconds in chaos.LASTS.items():
        for words in chaos_table.faults()[fault].values():
            assert f"{seconds:.0f}" in words


def test_the_words_are_chinese_of_taiwan_and_there_in_both_languages() -> None:
    assert chaos_table.WORDS["en"].keys() == chaos_table.WORDS["zh-TW"].keys()
    for words in [*chaos_table.faults().values(), {"zh-TW": " ".join(chaos_table.WORDS["zh-TW"].values())}]:
        assert not language.chinese_defects(words["zh-TW"])
    for words in chaos_table.faults().values():
        assert not language.spacing_defects(words["zh-TW"])


def _unknown_scheme(rows: list[dict[str, Any]]) -> None:
    rows[0]["scheme"] = "pigeon"


def _unknown_fault(rows: list[dict[str, Any]]) -> None:
    rows[0]["fault"] = "spill-tea"


def _without_count(rows: list[dict[str, Any]]) -> None:
    del rows[0]["doubled"]


def _without_sense(rows: list[dict[str, Any]]) -> None:
    rows.append({**rows[0], "scheme": "sqs", "fault": "stop-broker"})


def _twice(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[0])


def _before_it_was_sent(rows: list[dict[str, Any]]) -> None:
    rows[0]["delays"][1] = -0.04


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_unknown_scheme, "'pigeon'; there are: own, kafka"),
        (_unknown_fault, "'spill-tea'"),
        (_without_count, "kafka none lacks doubled"),
        (_twice, "kafka none twice"),
        (_before_it_was_sent, "kafka none has a negative delay (-0.04 s)"),
        (_without_sense, "sqs stop-broker, of which"),
    ],
)
def test_what_is_wrong_in_the_counts_is_told(
    spoil: Callable[[list[dict[str, Any]]], None], told: str, tmp_path: Path
) -> None:
    rows = json.loads(chaos_table.COUNTED.read_text(encoding="utf-8"))
    spoil(rows)
    file = tmp_path / "chaos.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(chaos_table.ChaosError, match=re.escape(told)):
        chaos_table.load(file)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_two_late_orders_are_late_as_measured(lang: str) -> None:
    (row,) = [one for one in ROWS if (one["scheme"], one["fault"]) == ("shared-plain", "kill-triggerer")]
    _, second, third, _ = row["delays"]
    (told,) = [line for line in text(lang).splitlines() if "`shared-plain`" in line and line.startswith("**")]
    assert [float(number) for number in re.findall(r"\d+\.\d", told)] == [round(second, 1), round(third, 1)]
    assert third == row["longest"]


@pytest.mark.parametrize("page", ["06-collapse", "06-delivery"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_code_on_the_lab_pages_is_no_wider_than_the_page(page: str, lang: str) -> None:
    shown = (ROOT / "book" / lang / "labs" / f"{page}.md").read_text(encoding="utf-8")
    code = [line for block in CODE.findall(shown) for line in block.splitlines()]
    included = INCLUDED.findall(shown)
    assert code
    assert included
    for file, begin, end in included:
        source = (ROOT / file).read_text(encoding="utf-8")
        code += source.partition(begin)[2].partition(end)[0].splitlines()
    assert [line for line in code if len(line) > WIDEST] == []


WIDEST = 95
"""Characters of a line of code that a page shows on a laptop without scrolling."""
CODE = re.compile(r"^```(?:\{code-cell\} ipython3|python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INCLUDED = re.compile(
    r'^```\{literalinclude\} \.\./\.\./\.\./(\S+)\n(?:.*\n)*?:start-after: "(.*)"\n:end-before: "(.*)"', re.MULTILINE
)


@pytest.mark.parametrize("file", LINES)
def test_the_lines_that_the_page_names_are_those_of_the_installed_wheels(file: str) -> None:
    lines = (Path(sysconfig.get_path("purelib")) / file).read_text(encoding="utf-8").splitlines()
    for number, words in LINES[file].items():
        assert words in lines[number - 1]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_names_no_other_lines(lang: str) -> None:
    named: dict[str, set[int]] = {}
    file = ""
    for path, number in re.findall(r"`(airflow/[\w/]+\.py)?:(\d+)`", text(lang)):
        file = path or file
        named.setdefault(file, set()).add(int(number))
    assert named == {file: set(lines) for file, lines in LINES.items()}


CELLS = {(row["scheme"], row["fault"]): row for row in ROWS}
FORGETFUL = {"kafka", "sqs", "redis", "file", "own"}
"""What loses an order in a crash."""


def cells(fault: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a fault, by source."""
    return {scheme: row for (scheme, one), row in CELLS.items() if one == fault}


def losers(fault: str) -> set[str]:
    return {scheme for scheme, row in cells(fault).items() if row["lost"]}


def doublers(fault: str) -> set[str]:
    return {scheme for scheme, row in cells(fault).items() if row["doubled"]}


def test_all_is_well_where_nothing_goes_wrong() -> None:
    assert cells("none").keys() == {card.name for card in chaos_table.load()}
    assert not any(row["lost"] or row["doubled"] or row["late"] for row in cells("none").values())


@pytest.mark.parametrize("fault", ["kill-triggerer", "lose-triggerer", "cut-database"])
def test_a_crash_loses_what_was_acknowledged_before(fault: str) -> None:
    assert losers(fault) == FORGETFUL
    assert not doublers(fault)


@pytest.mark.parametrize("fault", ["kill-triggerer", "lose-triggerer"])
def test_what_a_crash_does_not_lose_is_late(fault: str) -> None:
    assert all(row["late"] for scheme, row in cells(fault).items() if scheme not in FORGETFUL)


def test_a_triggerer_that_signs_off_need_not_be_missed_first() -> None:
    late = {scheme for scheme, row in cells("cut-database").items() if row["late"] and not row["lost"]}
    assert late == {"shared-plain", "sqs-kept"}


def test_what_is_lost_never_was_in_airflow() -> None:
    lost = CELLS["kafka", "kill-triggerer"]
    assert lost["published"] - lost["events"] == 1


def test_a_freeze_and_a_broker_that_is_away_lose_nothing_and_some_double() -> None:
    for fault in ("freeze-triggerer", "stop-broker"):
        assert not losers(fault)
        kept_out = CELLS["kafka-shared-stream", fault]
        assert (kept_out["doubled"], kept_out["events"] > kept_out["wanted"]) == (0, True)
    assert doublers("freeze-triggerer") == {"batch", "shared-plain", "sqs-kept"}
    assert doublers("stop-broker") == {"batch", "shared-plain"}
    naive = CELLS["shared-plain", "freeze-triggerer"]
    assert (naive["lost"], naive["doubled"], naive["events"] - naive["wanted"]) == (0, 1, 1)
    dags = ROOT / "labs" / "06-delivery-and-collapse" / "dags" / "delivery_brokers.py"
    (hidden,) = re.findall(r"visibility_timeout=(\d+)", dags.read_text(encoding="utf-8"))
    assert int(hidden) == 20 < chaos.LASTS["freeze-triggerer"]


def test_without_a_scheduler_nothing_is_lost_or_doubled() -> None:
    assert not losers("kill-scheduler") | doublers("kill-scheduler")


def test_only_a_key_keeps_the_producers_doubles_out() -> None:
    assert doublers("duplicate") == cells("duplicate").keys() - {"kafka-shared-stream"}


def test_a_bad_message_is_a_failed_run_or_a_dead_letter() -> None:
    for scheme, row in cells("poison").items():
        careful = scheme == "kafka-shared-stream"
        assert (row["lost"], row["refused"], bool(row["failed"])) == ((0, 1, False) if careful else (1, 0, True))
        assert (row["failed"] > 1) == (scheme == "sqs-kept"), "what nobody deletes comes again and again"


def test_a_crash_strands_an_order_of_the_shared_stream_until_a_fourth_comes() -> None:
    stranded = CELLS["shared-plain", "kill-triggerer"]
    assert (stranded["published"], stranded["late"]) == (4, 2)
    assert stranded["runs"] < stranded["published"]
