"""What stands in for AWS, with its real server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from labkit.brokers import moto
from labkit.stack.ports import any_free
from labkit.stack.state import State
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE = "delivery-taken"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A stack of which only this server runs, with one queue."""
    made = State(id="7ea", run=str(tmp_path), ports={moto.NAME: any_free()})
    program = moto.program(made)
    process = subprocess.Popen(
        program.command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: moto.healthy(made), seconds=30)
        moto.create_queues(made, [QUEUE])
        yield made
    finally:
        process.terminate()
        process.wait()


def test_a_queue_is_emptied_again_within_the_minute_in_which_sqs_refuses_to(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto.publish(state, QUEUE, ["one"])
    moto.purge(state, QUEUE)
    moto.purge(state, QUEUE)  # nothing to do: not even asked
    moto.publish(state, QUEUE, ["two"])
    assert not moto._purged(state, QUEUE), "SQS refuses"
    waited: list[float] = []

    def patiently(condition: object, *, seconds: float, pause: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(moto, "until", patiently)
    moto.purge(state, QUEUE)
    assert waited, "somebody waits"
    assert waited[0] > 60
    assert moto.held(state, QUEUE) == 1


def test_a_queue_that_is_missing_is_told(state: State) -> None:
    with pytest.raises(Exception, match="does not exist"):
        moto.purge(state, "nobody-made-it")
