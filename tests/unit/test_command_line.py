"""The command line: help in two languages, refusals, exit codes, and no traceback unless asked for."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from labkit import cli, i18n, session
from labkit.errors import FAILED, USAGE, LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

    Lab = Callable[..., Outcome]

CHINESE = re.compile(r"[\u4e00-\u9fff]")
COMMAND_LINES = [(), *((name,) for name in cli.COMMANDS)]


@pytest.mark.parametrize("command", COMMAND_LINES, ids=lambda command: command[0] if command else "lab")
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_there_for_every_command(command: tuple[str, ...], flag: str, lab: Lab) -> None:
    outcome = lab(*command, flag)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(" ".join(["Usage: lab", *command]))


@pytest.mark.parametrize("command", COMMAND_LINES, ids=lambda command: command[0] if command else "lab")
def test_chinese_help_has_no_english_heading_and_explains_every_option_in_chinese(
    command: tuple[str, ...], lab: Lab
) -> None:
    text = lab(*command, "--help", "--lang", "zh-TW").out
    assert not re.search(r"\b(Usage|Options|Commands|Arguments|Show this message)\b", text)
    assert re.match(r"用法[：:]", text)
    rows = re.split(r"\n  (?=-)", text.partition("選項")[2])[1:]
    assert rows, "not even --help"
    for row in rows:
        assert CHINESE.search(row), row


def test_chinese_headings_end_with_a_full_width_colon(lab: Lab) -> None:
    text = lab("--help", "--lang", "zh-TW").out
    assert not re.findall(r"[\u4e00-\u9fff]:", text)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_help_of_lab_lists_every_command_with_what_it_does(language: i18n.Language, lab: Lab) -> None:
    text = lab("--lang", language, "--help").out
    for name in cli.COMMANDS:
        assert re.search(rf"^  {name} +\S", text, re.MULTILINE)
        summary = i18n.catalogue()[f"help.{name}"][language]
        assert summary[:10] in text


def test_without_arguments_lab_shows_its_help_and_exits_as_for_a_mistake(lab: Lab) -> None:
    outcome = lab()
    assert outcome.code == USAGE
    assert "start" in outcome.out + outcome.err


def test_version_tells_ours_and_airflows(lab: Lab) -> None:
    outcome = lab("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(r"lab \d+\.\d+\.\d+ \(Airflow 3\.\d+\.\d+\)\n", outcome.out)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly"], "publish"),
        (["start", "--fly"], "--fly"),
        (["--fly"], "--fly"),
        (["publish"], "TOPIC"),
        (["publish", "orders"], "JSON"),
        (["publish", "orders", "{}", "--burst"], "--burst"),
        (["publish", "orders", "{}", "--burst", "many"], "--burst"),
        (["publish", "orders", '{"a":', "1}"], "1}"),
        (["publish", "orders", "{"], "JSON"),
        (["publish", "no-such-topic", "{}"], "no-such-topic"),
        (["publish", "no-such-queue", "{}", "--to", "sqs"], "no-such-queue"),
        (["publish", "no-such-channel", "{}", "--to", "redis"], "no-such-channel"),
        (["publish", "orders", "{}", "--to", "pigeon"], "redis"),
        (["open", "door"], "site"),
        (["completion", "cmd"], "bash"),
        (["verify", "99"], "99"),
        (["verify", "03", "no-such-step"], "no-such-step"),
        (["hint", "99"], "99"),
        (["reset", "99", "--yes"], "99"),
        (["restart"], "PART"),
        (["restart", "postgres"], "triggerer"),
        (["start", "99"], "99"),
        (["start", "--docker", "--mock"], "--mock"),
        (["start", "--scale"], "--scale"),
        (["start", "--scale", "triggerer"], "triggerer=2"),
        (["start", "--scale", "triggerer=2,"], "`"),
        (["start", "--scale", "triggerer=9"], "triggerer=9"),
        (["start", "--scale", "scheduler=2"], "triggerer"),
        (["start", "--scale", "worker=2"], "--docker"),
        (["start", "--docker", "--scale", "worker=0"], "worker=0"),
        (["start", "--docker", "--scale", "postgres=2"], "worker"),
        (["test", "no-such-stage"], "no-such-stage"),
        (["status", "too", "much"], "too"),
        (["events", "-n", "0"], "-n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_what_is_asked_for_wrongly_is_refused_with_2_and_a_word_of_help(
    arguments: list[str], named: str, language: i18n.Language, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_LANG", language)
    outcome = lab(*arguments)
    assert outcome.code == USAGE
    assert named in outcome.err.replace("\n", " ")
    assert outcome.err.startswith("Error: " if language == "en" else "錯誤：")
    assert "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 3
    assert not outcome.out
    if language == "zh-TW":
        assert ", " not in outcome.err, "Chinese lists with 、"


@pytest.mark.parametrize(("arguments", "told"), [(["status", "{}"], False), (["publish", "orders", "{", "}"], True)])
def test_only_who_may_have_meant_json_is_told_of_its_quotes(arguments: list[str], *, told: bool, lab: Lab) -> None:
    assert ("single quotes" in lab(*arguments).err) is told


def test_a_language_that_we_do_not_speak_is_refused_with_those_we_do(lab: Lab) -> None:
    outcome = lab("status", "--lang", "fr")
    assert outcome.code == USAGE
    assert "zh-TW, en" in outcome.err


@pytest.mark.parametrize(
    ("option", "value", "limits"), [("--burst", "0", ("1", "100000")), ("--rate", "0", ("0.01", "100000"))]
)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_number_out_of_range_is_told_with_its_limits_and_in_the_users_language(
    option: str, value: str, limits: tuple[str, str], language: i18n.Language, lab: Lab
) -> None:
    said = lab("--lang", language, "publish", "orders", "{}", option, value).err.replace(",", "")
    assert all(limit in said for limit in limits)
    assert "range" not in said


@pytest.mark.parametrize("command", ["status", "events", "logs", "open", "verify"])
def test_what_needs_a_stack_says_how_to_start_one(command: str, lab: Lab) -> None:
    outcome = lab(command)
    assert outcome.code == FAILED
    assert "./lab start" in outcome.err


def test_stop_has_nothing_to_do_where_nothing_runs(lab: Lab) -> None:
    outcome = lab("stop")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Nothing is running" in outcome.out


@pytest.mark.parametrize("place", range(4))
def test_lang_and_debug_may_stand_anywhere(place: int, lab: Lab) -> None:
    words = ["hint", "99", "run"]
    words[place:place] = ["--lang", "zh-TW", "--debug"]
    outcome = lab(*words)
    assert outcome.code == USAGE
    assert "沒有實驗 99" in outcome.err
    assert "Traceback" in outcome.err


def test_words_after_two_dashes_are_no_options() -> None:
    assert cli._hoist(["publish", "--debug", "--", "--lang", "en"]) == ["--debug", "publish", "--", "--lang", "en"]


def failing(error: BaseException) -> Callable[[], Any]:
    def current() -> Any:
        raise error

    return current


def test_an_error_of_the_users_shows_its_traceback_only_when_asked_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", failing(LabError("stack.none")))
    assert "Traceback" not in lab("status").err
    assert "Traceback" in lab("status", "--debug").err
    monkeypatch.setenv("LAB_DEBUG", "1")
    assert "Traceback" in lab("status").err


def test_details_of_others_are_shown_before_the_error_as_they_are(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    error = LabError("stack.migration_failed", details="[red]broken[/] at [/tmp/x] [1]")
    monkeypatch.setattr(session, "current", failing(error))
    outcome = lab("status")
    assert outcome.code == FAILED
    assert outcome.err.index("[red]broken[/] at [/tmp/x] [1]") < outcome.err.index("Error: ")


@pytest.mark.parametrize("text", ["[/]", "[bold]", "\\[/x]", "a\\", "[/x] \\[bold]"])
def test_brackets_and_backslashes_in_an_error_are_no_markup(
    text: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", failing(LabError("stack.none", details=text)))
    assert lab("status").err.startswith(f"{text}\nError: ")
    outcome = lab("verify", text)
    assert outcome.code == USAGE
    assert text in outcome.err


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_surprise_is_one_short_message_and_exit_code_1(
    language: i18n.Language, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "current", failing(ZeroDivisionError("by [/zero]")))
    outcome = lab("status", "--lang", language)
    assert outcome.code == FAILED
    assert "ZeroDivisionError" in outcome.err
    assert "by [/zero]" in outcome.err
    assert "--debug" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_surprise_shows_its_traceback_with_debug(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "current", failing(ZeroDivisionError("surprise")))
    outcome = lab("status", "--debug")
    assert outcome.code == FAILED
    assert "ZeroDivisionError: surprise" in outcome.err
    assert "Traceback" in outcome.err


def test_a_full_disk_is_told_as_such(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "current", failing(OSError(errno.ENOSPC, "No space left on device")))
    outcome = lab("status")
    assert outcome.code == FAILED
    assert "disk is full" in outcome.err
    assert "Traceback" not in outcome.err


def test_another_refusal_of_the_system_is_passed_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "current", failing(PermissionError(errno.EACCES, "Permission denied", "/x")))
    outcome = lab("status")
    assert outcome.code == FAILED
    assert "Permission denied: '/x'" in outcome.err


def test_ctrl_c_is_130_as_shells_have_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "current", failing(KeyboardInterrupt()))
    outcome = lab("status")
    assert outcome.code == cli.INTERRUPTED == 130
    assert outcome.err.strip() == "Interrupted."


@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--help"], ["completion", "bash"]])
def test_a_reader_that_goes_away_is_no_error_worth_a_traceback(arguments: list[str], root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "labkit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(root / "labs"), "PATH": "/usr/bin:/bin"},
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read().decode()
    assert "Traceback" not in told
    assert "Exception" not in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, lab: Lab) -> None:
    outcome = lab("completion", shell)
    assert outcome.code == 0
    assert "_LAB_COMPLETE" in outcome.out


def test_importing_the_command_line_imports_nothing_heavy(root: Path) -> None:
    heavy = {"airflow", "pandas", "matplotlib", "confluent_kafka", "psycopg2", "sphinx", "jgo", "jupytext"}
    code = f"import sys, labkit.cli; print(*sorted({heavy} & sys.modules.keys()))"
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(root / "labs")}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == ""


@pytest.mark.parametrize(
    ("lang", "told"), [("en", "There is no scheme nats. There are: sqs"), ("zh-TW", "沒有 nats 這個 scheme")]
)
def test_a_scheme_without_a_passport_is_named_with_those_there_are(lang: str, told: str, lab: Lab) -> None:
    outcome = lab("--lang", lang, "passports", "nats")
    assert outcome.code == USAGE
    assert told in outcome.err
