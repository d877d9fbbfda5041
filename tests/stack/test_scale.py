"""`./lab bench scale` on a real stack: the calculator is within a quarter of what is counted now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from driver import Checkout


@pytest.mark.full
def test_the_calculator_is_within_a_quarter_of_what_is_counted_now(stopped: Checkout) -> None:
    # Six minutes on a quiet machine. It ends with 1 when one of the points is further off.
    said = stopped.lab("bench", "scale", "--quick", timeout=1800).stdout
    told = json.loads((stopped.root / "build" / "bench" / "scale.json").read_text(encoding="utf-8"))
    rows = told["constants"]["rows"]
    assert rows["event"]["asset_event"] == rows["run"]["dag_run"] == rows["task"]["task_instance"] == 1, said
    assert told["times"]["takeover"]["stopped"] < told["times"]["takeover"]["killed"]
    stopped.remember()
    stopped.check_gone()
