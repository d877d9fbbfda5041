"""How many triggers a triggerer may run, and how long it has to end: what each lane is told of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from labkit.stack.compose import files
from labkit.stack.compose.project import FILE
from labkit.stack.local import GRACE, TRIGGERERS
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path


def test_the_containers_are_told_a_capacity_and_it_is_taken_back(tmp_path: Path) -> None:
    state = State(id="0badcafe", run=str(tmp_path), lane="compose")
    others = ["LAB_ROOT='/somewhere'", "LAB_TRIGGERER_OPTIONS=''", "LAB_RUN='/elsewhere'"]
    files.write_private(files.compose_file(state), "\n".join(others) + "\n")
    for capacity, option in ((4, "--capacity 4"), (0, "")):
        state.capacity = capacity
        files.set_capacity(state)
        lines = files.compose_file(state).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if "TRIGGERER" in line] == [f"LAB_TRIGGERER_OPTIONS='{option}'"]
        assert {line for line in lines if "TRIGGERER" not in line} == {others[0], others[2]}, "all else stays"


def test_a_triggerer_has_more_than_the_ten_seconds_that_airflow_may_wait() -> None:
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    for name in TRIGGERERS:
        assert GRACE[name] > 12
        if name in services:
            assert services[name]["command"].endswith("${LAB_TRIGGERER_OPTIONS}")
            assert services[name]["stop_grace_period"] == f"{GRACE[name]}s"
    assert TRIGGERERS[0] in services
