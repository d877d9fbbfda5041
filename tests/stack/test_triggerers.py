"""A second triggerer beside the first: it comes when asked for, shares the work, and goes again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import yaml
from driver import until

from labkit.stack.lane import SECOND_TRIGGERER

if TYPE_CHECKING:
    from driver import Checkout


def test_a_second_triggerer_comes_when_asked_for_and_goes_again(running: Checkout) -> None:
    stack = running.stack
    assert SECOND_TRIGGERER not in running.running_pids()
    with stack.metadata() as metadata:
        before = metadata.triggerers()
        try:
            stack.add_triggerer()
            first = running.running_pids()[SECOND_TRIGGERER]
            stack.add_triggerer()  # harmless
            assert running.running_pids()[SECOND_TRIGGERER] == first
            (second,) = set(metadata.triggerers()) - set(before)
            # It is there, but says of itself that it is starting for a moment.
            until(lambda: running.lab("status", code=None).returncode == 0, "status to find all well", 30, 1)
            assert SECOND_TRIGGERER in running.lab("status").stdout
            owners = {one.triggerer for one in metadata.watchers()}
            assert second not in owners, "what runs stays where it runs"
            running.lab("restart", SECOND_TRIGGERER)
            assert running.running_pids()[SECOND_TRIGGERER] not in {None, first}
            known = {*before, second}
            (second,) = until(lambda: set(metadata.triggerers()) - known, "Airflow to count on the new one")
        finally:
            stack.stop_part(SECOND_TRIGGERER)
        until(lambda: second not in metadata.triggerers(), "the second one's job to end")
    assert SECOND_TRIGGERER not in running.running_pids()
    assert SECOND_TRIGGERER not in running.lab("status").stdout
    assert SECOND_TRIGGERER in running.lab("restart", SECOND_TRIGGERER, code=1).stderr
    assert SECOND_TRIGGERER not in running.running_pids(), "a restart brings nothing that was not there"


@pytest.mark.parametrize("capacity", [1, 100])
def test_the_query_that_scales_triggerers_on_kubernetes_counts_watchers(running: Checkout, capacity: int) -> None:
    values = yaml.safe_load((running.root / "docker" / "helm" / "values.yaml").read_text(encoding="utf-8"))
    query = values["triggerer"]["keda"]["query"].replace('{{ include "triggerer.capacity" . }}', str(capacity))
    assert "{{" not in query
    with running.stack.metadata() as metadata:
        (told,) = metadata.rows(
            f"SELECT ({query}) AS wanted, (SELECT COUNT(*) FROM trigger) AS triggers,"  # noqa: S608
            " (SELECT COUNT(DISTINCT trigger_id) FROM asset_watcher) AS watchers"
        )
    assert told["triggers"] >= told["watchers"] > 0
    assert told["wanted"] == math.ceil(told["triggers"] / capacity) + 1
