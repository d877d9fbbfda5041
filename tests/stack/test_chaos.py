"""The chaos dial on a real stack: what each way of taking messages loses and doubles under each fault.

One turn of the dial takes one to three minutes, for all schemes side by side; the first is for every run of the suite,
the others for `./lab test --full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import chaos, config
from labkit.stack.local import SECOND

if TYPE_CHECKING:
    from driver import Checkout

    from labkit.chaos import Cell

EXACT = "once"
"""The scheme that neither loses nor doubles anything, whatever happens."""


def turn(checkout: Checkout, fault: str) -> dict[str, Cell]:
    """Turn the dial for all schemes, see that it leaves nothing behind, and return the cells by scheme."""
    if not checkout.whole:
        checkout.lab("start", "--no-site")
    before = set(checkout.running_pids())
    checkout.lab("chaos", "all", fault, timeout=480)
    cells = {one.scheme: one for one in chaos.load(checkout.root / "build" / "chaos" / f"all-{fault}.json")}
    lab = config.find_chaos()
    assert cells.keys() == {one.name for one in lab.chaos if chaos.applies(one, fault)}
    with checkout.stack.metadata() as metadata:
        dags = metadata.dags()
        assert all(dags[one.dag]["is_paused"] for one in lab.chaos), "a Dag was left un-paused"
    assert set(checkout.running_pids()) == before
    assert SECOND not in checkout.running_pids()
    exact = cells[EXACT]
    assert (exact.lost, exact.doubled) == (0, 0), exact
    return cells


def as_recorded(fault: str, cells: dict[str, Cell]) -> None:
    """See that the words of the table that the page shows are the words of this turn."""
    recorded = {
        one.scheme: one
        for one in chaos.load(config.find_chaos().folder / "recorded" / "chaos.json")
        if one.fault == fault
    }
    told = {name: one.word for name, one in cells.items()}
    assert told == {name: one.word for name, one in recorded.items()}


def test_killed_between_taking_and_storing(checkout: Checkout) -> None:
    cells = turn(checkout, "kill")
    # They acknowledge before Airflow has the event.
    for scheme in ("kafka", "batch", "sqs", "redis", "file"):
        assert cells[scheme].lost == 1, cells[scheme]
    # They acknowledge afterwards.
    for scheme in ("shared", "sqs-keep"):
        assert cells[scheme].lost == 0, cells[scheme]
    as_recorded("kill", cells)


@pytest.mark.full
@pytest.mark.parametrize("fault", [fault for fault in chaos.FAULTS if fault != "kill"])
def test_every_other_fault(fault: str, checkout: Checkout) -> None:
    cells = turn(checkout, fault)
    if fault == "poison":
        assert cells[EXACT].dead
        assert all("not JSON" in reason for reason in cells[EXACT].dead)
        assert not cells["kafka"].dead
        assert cells["kafka"].failed
    as_recorded(fault, cells)
