"""What dies comes back, and nothing that was promised is lost."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from driver import until

if TYPE_CHECKING:
    from driver import Checkout

PARTS = (
    "postgres",
    "kafka",
    "nursery",
    "execution-api",
    "dag-processor",
    "triggerer",
    "scheduler",
    "api-server",
    "site",
)


def well(checkout: Checkout) -> bool:
    return all(part.healthy for part in checkout.stack.parts())


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_comes_back_and_events_are_handled_again(name: str, running: Checkout) -> None:
    until(lambda: well(running), "every part to be well", 120)
    before = running.part(name)
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)

    def back() -> bool:
        now = running.part(name)
        return now.healthy and now.pid not in {None, before.pid}

    until(back, f"{name} to come back", 120)
    assert running.part(name).restarts > before.restarts
    order = 1000 + PARTS.index(name)
    running.send("orders", order)
    until(lambda: running.handled("handle_order", order), "a run after it", 120)
    until(lambda: well(running), "every part to be well", 120)
    row = re.search(rf"^{name} +● working .* (\d+) *(heartbeat .*)?$", running.lab("status").stdout, re.MULTILINE)
    assert row, "status does not tell of the restart"


def test_what_the_broker_acknowledged_before_it_was_killed_is_handled(running: Checkout) -> None:
    until(lambda: well(running), "every part to be well", 120)
    broker = running.part("kafka")
    assert broker.pid
    orders = range(1101, 1106)
    values = [json.dumps({"order_id": order, "drink": "oolong", "cups": 1}) for order in orders]
    sent = running.stack.broker.publish(running.stack.state, "orders", values)
    os.kill(broker.pid, signal.SIGKILL)
    assert len(sent) == len(values)
    until(lambda: running.handled("handle_order", *orders), "all five orders", 150)


def test_a_broker_that_is_killed_while_messages_come_in_loses_none_that_it_acknowledged(running: Checkout) -> None:
    until(lambda: well(running), "every part to be well", 120)
    value = '{"order_id": 1200, "drink": "oolong", "cups": 1}'
    broker = running.part("kafka")
    assert broker.pid
    publishing = running.begin("publish", "orders", value, "--burst", "12", "--rate", "6")
    until(lambda: arrived(running), "the first of them")
    os.kill(broker.pid, signal.SIGKILL)
    assert publishing.wait(timeout=90) == 0, "publish waits for the broker to come back, and tells the truth"
    until(lambda: arrived(running) == set(range(1, 13)), "all twelve events", 240, 1)


def arrived(checkout: Checkout) -> set[int]:
    """Return the numbers of the burst's messages that have become asset events."""
    with checkout.stack.metadata() as metadata:
        texts = [str(row.payload) for row in metadata.events(200)]
    return {int(found[1]) for text in texts if "1200" in text and (found := re.search(r'"seq": (\d+)', text))}


def test_a_killed_supervisor_is_told_and_start_clears_up_and_starts_anew(running: Checkout) -> None:
    running.remember()
    before = running.state
    assert before
    keepers = [one for one in running.processes() if "supervisor.supervisord" in " ".join(one.cmdline())]
    assert len(keepers) == 1
    orphans = {one.pid for one in running.processes()} - {keepers[0].pid}
    keepers[0].kill()
    keepers[0].wait(10)
    assert "not whole" in running.lab("status", code=1).stderr
    assert "不完整" in running.lab("status", "--lang", "zh-TW", code=1).stderr
    told = running.lab("start", "--no-site")
    assert re.search(r"\(\d+ processes\)", told.stdout)
    assert running.state
    assert running.state["id"] != before["id"]
    assert orphans.isdisjoint(one.pid for one in running.processes())
    assert [file.name for file in running.tmp.iterdir()] == [running.stack.state.folder.name]
    assert running.handled("handle_order", 1)
