"""`./lab bench brokers` on a real stack: batch per poll beside single-shot, and Ctrl-C. Relations, never figures."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from driver import end_group, until

if TYPE_CHECKING:
    from driver import Checkout


def test_batches_lose_nothing_and_are_twenty_times_as_quick_as_single_shot(stopped: Checkout) -> None:
    said = stopped.lab("bench", "brokers", "--quick", "--only", "duel").stdout
    told = json.loads((stopped.root / "build" / "bench" / "brokers.json").read_text(encoding="utf-8"))["duel"]
    batch, single = told["batch"], told["single"]
    assert batch["processed"] == batch["counted"] == told["messages"], said
    assert batch["lost"] == batch["doubled"] == 0
    assert single["processed"] >= 1
    assert told["times"] >= 20
    # The reason: an event and a run for many messages, and for each.
    assert batch["runs"] < told["messages"] / 20
    assert single["runs"] == single["processed"]
    stopped.remember()
    stopped.check_gone()


def test_ctrl_c_leaves_nothing_of_the_bench(stopped: Checkout) -> None:
    process = stopped.begin("bench", "brokers", "--quick", "--only", "duel")
    until(lambda: stopped.state is not None and stopped.stack.alive, "the bench's stack", 120)
    stopped.remember()
    assert end_group(process, signal.SIGINT) == 130
    stopped.check_gone()
