"""What a learner does with lab 03, on containers: start, look, publish, get it wrong; and what goes wrong by itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from driver import until

if TYPE_CHECKING:
    import subprocess

    from driver import Checkout


def test_a_start_brings_an_event_through(first_start: subprocess.CompletedProcess[str]) -> None:
    assert first_start.returncode == 0, first_start.stdout + first_start.stderr
    assert "the run is over" in first_start.stdout


@pytest.mark.parametrize(("language", "well"), [("en", "working"), ("zh-TW", "正常")])
def test_status_tells_of_every_part_that_it_is_well(running: Checkout, language: str, well: str) -> None:
    until(lambda: all(part.healthy for part in running.stack.parts()), "every part to be well", 90)
    told = running.lab("status", "--lang", language).stdout
    rows = re.findall(rf"^(\S+) +● {well} +(\d+) ", told, re.MULTILINE)
    assert {name for name, _ in rows} == {part.name for part in running.stack.parts()}
    assert {"postgres", "kafka", "api-server", "scheduler", "dag-processor", "triggerer", "site"} <= dict(rows).keys()
    assert "compose" in told
    # The engine's own numbers: each container has some memory, and none the machine's.
    memory = {part.name: part.memory for part in running.stack.parts()}
    assert all(1_000_000 < count < 2_000_000_000 for count in memory.values()), memory


def test_a_message_becomes_a_run_that_events_shows(running: Checkout) -> None:
    running.send("orders", 41)
    until(lambda: running.handled("handle_order", 41), "the run", 90)
    told = running.lab("events").stdout
    assert re.search(r"orders +.*41.* +handle_order +success", told)


def test_logs_come_from_the_containers(running: Checkout) -> None:
    assert "Kafka" in running.lab("logs", "kafka").stdout
    assert running.lab("logs", "triggerer", "-n", "5").stdout.count("\n") == 5
    assert "triggerer" in running.lab("logs").stdout
    assert "kafka" in running.lab("logs", "no-such-part", code=2).stderr


def test_a_restart_reads_code_anew_and_the_part_is_well_again(running: Checkout) -> None:
    before = running.part("triggerer").pid
    running.lab("restart", "triggerer")
    assert running.part("triggerer").pid != before


def test_another_lab_is_loaded_and_no_other_part_notices(running: Checkout) -> None:
    before = running.running_pids()
    running.lab("start", "01", "--no-site")
    after = running.running_pids()
    assert {name for name, pid in before.items() if after[name] != pid} == {"dag-processor"}
    assert [lab[:2] for lab in running.stack.state.labs] == ["01", "03"]


@pytest.mark.parametrize("what", ["site", "ui"])
def test_open_says_where(running: Checkout, what: str) -> None:
    # The page that sends readers on to their language: what tells that a site has been built.
    (running.root / "build" / "site" / "index.html").touch()
    told = running.lab("open", what).stdout
    assert str(running.stack.state.ports["api-server" if what == "ui" else "site"]) in told


@pytest.mark.parametrize("part", ["triggerer", "kafka", "scheduler"])
def test_a_part_that_dies_comes_back_and_the_event_is_not_lost(running: Checkout, part: str) -> None:
    number = 50 + ["triggerer", "kafka", "scheduler"].index(part)
    before = running.part(part).pid
    running.stack.kill(part)
    until(lambda: running.part(part).healthy and running.part(part).pid != before, f"{part} to come back", 90)
    running.send("orders", number)
    until(lambda: running.handled("handle_order", number), "the run", 120)


def test_a_part_on_hold_stands_still_and_goes_on(running: Checkout) -> None:
    with running.stack.hold("scheduler"):
        running.send("orders", 60)
        with running.stack.metadata() as metadata:
            until(lambda: "60" in json.dumps([one.payload for one in metadata.events(3)]), "the event", 60)
        assert not running.handled("handle_order", 60)
    until(lambda: running.handled("handle_order", 60), "the run", 90)
