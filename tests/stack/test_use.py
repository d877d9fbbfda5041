"""What a learner does with a running stack: look, publish, verify, get it wrong, reset."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from driver import until

from labkit import config
from labkit.airflow.api import Api
from labkit.brokers.client import Sender
from labkit.stack.lane import ON_DEMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driver import Checkout

LAB = "03-asset-watchers"
FILE = "handle_payment.py"
EXERCISE = [step.id for step in config.lab("03").steps if step.exercise]
DONE_AT_START = [step.id for step in config.lab("03").steps if not step.exercise]


def marks(text: str) -> dict[str, bool]:
    """Return which steps `verify` shows as done."""
    return {step: mark == "✓" for mark, step in re.findall(r"^  ([✓✗]) .+  (\S+)$", text, re.MULTILINE)}


@pytest.fixture
def settled(running: Checkout) -> Checkout:
    """A stack whose parts all say that they are well."""
    until(lambda: all(part.healthy for part in running.stack.parts()), "every part to be well", 90)
    return running


@pytest.fixture
def exercise(running: Checkout) -> Iterator[Checkout]:
    """Lab 03's exercise as it comes, before and after, and parsed: an edit during a parse goes unnoticed for 30 s."""
    until(lambda: parsed(running), "the exercise to be parsed", 90)
    yield running
    if (running.root / "work" / LAB / FILE).read_bytes() != (
        running.root / "labs" / LAB / "exercise" / FILE
    ).read_bytes():
        running.lab("reset", "03", "--yes")


def parsed(checkout: Checkout) -> bool:
    """Tell whether Airflow knows the learner's file as it is now."""
    with checkout.stack.metadata() as metadata:
        dag = metadata.dags().get("handle_payment")
        edited = (checkout.root / "work" / LAB / FILE).stat().st_mtime
        return bool(dag and dag["last_parsed_time"].timestamp() > edited and not metadata.import_failures())


def import_failures(checkout: Checkout) -> list[str]:
    with checkout.stack.metadata() as metadata:
        return [failure.file for failure in metadata.import_failures()]


@pytest.mark.parametrize(("language", "well"), [("en", "working"), ("zh-TW", "正常")])
def test_status_tells_of_every_part_that_it_is_well(language: str, well: str, settled: Checkout) -> None:
    told = settled.lab("status", "--lang", language)
    rows = re.findall(rf"^(\S+) +● {well} +(\d+) ", told.stdout, re.MULTILINE)
    assert dict(rows) == {name: str(pid) for name, pid in settled.running_pids().items()}
    assert len(rows) >= 8
    for name, number in settled.stack.state.ports.items():
        if name not in {*ON_DEMAND, "kafka-controller"}:
            assert str(number) in told.stdout, name
    assert LAB in told.stdout
    assert "Airflow" in told.stdout or "airflow 3." in told.stdout


def test_status_stays_readable_in_a_terminal_of_80_columns(settled: Checkout) -> None:
    lines = settled.lab("status", COLUMNS="80").stdout.splitlines()
    names = set(settled.running_pids())
    rows = [line for line in lines if line.split() and line.split()[0] in names]
    assert len(rows) == len(names)
    assert len(lines) <= len(names) + 8, "cells are broken into columns of single letters"


def test_publish_says_where_the_message_is_and_a_run_handles_it(running: Checkout) -> None:
    told = running.lab("publish", "orders", '{"order_id": 501, "drink": "烏龍", "cups": 2}')
    assert re.search(r"topic orders, partition 0, offset \d+", told.stdout)
    until(lambda: running.handled("handle_order", 501), "the run")


def test_a_sender_understands_how_librdkafka_tells_of_its_id(running: Checkout) -> None:
    began = time.monotonic()
    Sender(running.stack.state.bootstrap)
    assert time.monotonic() - began < 15, "it waited in vain for a line in librdkafka's log, for half a minute"


def test_events_show_the_message_and_its_run(running: Checkout) -> None:
    running.send("orders", 502)
    until(lambda: running.handled("handle_order", 502), "the run")
    told = running.lab("events", "-n", "1")
    row = told.stdout.splitlines()[-1]
    for word in ("orders", '"order_id": 502', "handle_order", "success"):
        assert word in row
    assert len(re.findall(r"\d ms", row)) == 2


def test_a_burst_is_numbered_and_arrives_whole(running: Checkout) -> None:
    value = '{"order_id": 600, "drink": "oolong", "cups": 1}'
    told = running.lab("publish", "orders", value, "--burst", "5", "--rate", "50", "--seed", "7")
    first, last = map(int, re.findall(r"offsets (\d+) to (\d+)", told.stdout)[0])
    assert last - first == 4

    def numbers() -> set[int]:
        with running.stack.metadata() as metadata:
            texts = [str(row.payload) for row in metadata.events(20)]
        return {int(found[1]) for text in texts if "600" in text and (found := re.search(r'"seq": (\d+)', text))}

    until(lambda: numbers() == {1, 2, 3, 4, 5}, "five events", 90)


def test_json_that_cannot_be_stored_goes_nowhere(running: Checkout) -> None:
    with running.stack.metadata() as metadata:
        before = metadata.events(1)[0].event
    for value in ('{"order_id": NaN}', '{"a": "\\u0000"}', "{"):
        assert running.lab("publish", "orders", value, code=2).stdout == ""
    with running.stack.metadata() as metadata:
        assert metadata.events(1)[0].event == before


@pytest.mark.parametrize("part", ["postgres", "kafka", "scheduler", "triggerer", "dag-processor", "api-server"])
def test_logs_of_every_part_can_be_read(part: str, running: Checkout) -> None:
    told = running.lab("logs", part, "-n", "5")
    assert len(told.stdout.splitlines()) <= 5
    assert running.lab("logs", part).stdout or part == "kafka"


def test_logs_without_a_part_name_the_parts_and_an_unknown_one_is_refused(running: Checkout) -> None:
    assert "./lab logs triggerer" in running.lab("logs").stdout
    assert "triggerer" in running.lab("logs", "engine", code=2).stderr


def test_logs_can_be_followed(running: Checkout) -> None:
    following = running.begin("logs", "triggerer", "-f")
    try:
        running.send("orders", 503)
        until(lambda: running.handled("handle_order", 503), "the run")
        assert following.poll() is None
    finally:
        following.kill()
        following.wait()


@pytest.mark.parametrize(
    ("language", "said"), [("en", "The table `asset_watcher` has no row"), ("zh-TW", "資料表 `asset_watcher` 裡沒有")]
)
def test_verify_fails_for_exactly_the_steps_of_the_unsolved_exercise(
    language: str, said: str, exercise: Checkout
) -> None:
    def told() -> str:
        return exercise.lab("verify", "03", "--lang", language, code=1).stdout

    wanted = dict.fromkeys(DONE_AT_START, True) | dict.fromkeys(EXERCISE, False)
    until(lambda: marks(told()) == wanted and said in told(), "the verdict on the unsolved exercise", 60, 1)


def test_one_step_can_be_verified_alone(exercise: Checkout) -> None:
    assert marks(exercise.lab("verify", "03", DONE_AT_START[0]).stdout) == {DONE_AT_START[0]: True}
    assert marks(exercise.lab("verify", "03", EXERCISE[0], code=1).stdout) == {EXERCISE[0]: False}


def test_hints_go_from_a_nudge_to_the_answer(exercise: Checkout) -> None:
    first = exercise.lab("hint", "03").stdout
    assert "1/3" in first
    assert "2/3" not in first
    assert "2/3" in exercise.lab("hint", "03").stdout
    last = exercise.lab("hint", "03").stdout
    assert "solution/handle_payment.py" in last
    assert exercise.lab("hint", "03").stdout == last


def test_the_solution_passes_and_reset_brings_the_exercise_back(exercise: Checkout) -> None:
    file = exercise.root / "work" / LAB / FILE
    unsolved = file.read_bytes()
    exercise.lab("reset", "03", "--solution", "--yes")
    assert file.read_bytes() != unsolved
    exercise.send("payments", 701)

    def solved() -> bool:
        return exercise.lab("verify", "03", code=None).returncode == 0

    until(solved, "verify to pass", 90, 1)
    assert exercise.handled("handle_payment", 701)
    assert all(marks(exercise.lab("verify", "03").stdout).values())
    exercise.lab("reset", "03", "--yes")
    assert file.read_bytes() == unsolved
    until(lambda: not marks(exercise.lab("verify", "03", code=None).stdout)[EXERCISE[0]], "the watcher to go", 90, 1)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('topics=["payments"]', 'topics=["payment"]', "waits for the topic `payment`, not for `payments`"),
        ("kafka_payments", "kafka_orders", "uses the connection `kafka_orders`. With `kafka_payments`"),
    ],
    ids=["another topic", "another's connection"],
)
def test_a_watcher_that_listens_elsewhere_is_told(right: str, wrong: str, told: str, exercise: Checkout) -> None:
    solution = (exercise.root / "labs" / LAB / "solution" / FILE).read_text(encoding="utf-8")
    assert right in solution
    (exercise.root / "work" / LAB / FILE).write_text(solution.replace(right, wrong), encoding="utf-8")
    until(lambda: told in exercise.lab("verify", "03", EXERCISE[0], code=1).stdout, "the verdict", 90, 1)


def test_reset_asks_before_it_replaces_what_was_changed(exercise: Checkout) -> None:
    file = exercise.root / "work" / LAB / FILE
    file.write_text(file.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    told = exercise.lab("reset", "03", code=None)
    assert told.returncode != 0
    assert f"work/{LAB}/handle_payment.py" in told.stdout
    assert "# mine" in file.read_text(encoding="utf-8")


def test_reset_lets_a_paused_dag_go_on(exercise: Checkout) -> None:
    with Api(exercise.stack.state) as api:
        api.set_paused("handle_order", paused=True)
    told = exercise.lab("status", code=None)
    assert "Paused, so without watchers: handle_order" in told.stdout, told.stdout + told.stderr
    told = exercise.lab("verify", "03", "watcher", code=1).stdout
    assert "paused" in told
    exercise.lab("reset", "03", "--yes")
    until(lambda: exercise.lab("verify", "03", "watcher", code=None).returncode == 0, "the watcher", 60, 1)


def test_a_dag_that_cannot_be_imported_is_shown_with_file_line_and_reason(exercise: Checkout) -> None:
    file = exercise.root / "work" / LAB / FILE
    lines = file.read_text(encoding="utf-8").splitlines()
    lines.insert(11, "payments = Asset(")
    file.write_text("\n".join(lines[:12]) + "\n", encoding="utf-8")
    until(lambda: import_failures(exercise) == [FILE], "the dag-processor to find it", 90)
    status = exercise.lab("status", code=1).stdout
    assert "handle_payment.py:12" in status
    assert "SyntaxError: '(' was never closed" in status
    verify = exercise.lab("verify", "03", code=1).stdout
    assert "handle_payment.py:12: SyntaxError" in verify


def test_an_import_error_whose_words_look_like_markup_is_shown_as_it_is(exercise: Checkout) -> None:
    file = exercise.root / "work" / LAB / FILE
    # Airflow reads only files in which these two words stand.
    file.write_text('"""An Airflow Dag."""\nraise KeyError("[/red] [bold]")\n', encoding="utf-8")
    until(lambda: import_failures(exercise) == [FILE], "the dag-processor to find it", 90)
    for command in (("status",), ("verify", "03")):
        assert "KeyError: '[/red] [bold]'" in exercise.lab(*command, code=1).stdout


def test_open_prints_the_address_of_the_interface(running: Checkout) -> None:
    assert running.lab("open", "ui").stdout.strip() == running.stack.state.ui_url


def test_unknown_things_are_refused(running: Checkout) -> None:
    for command in (("verify", "99"), ("verify", "03", "nothing"), ("publish", "teas", "{}"), ("start", "99")):
        assert running.lab(*command, code=2).stderr.startswith("Error: ")
