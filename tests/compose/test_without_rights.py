"""A user without any rights but the engine's runs the stack of containers; every file stays theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from driver import until
from test_nobody import USER, theirs  # noqa: F401  a checkout that belongs to nobody

from labkit.stack.compose import engine, project

if TYPE_CHECKING:
    from driver import Checkout


@pytest.fixture(scope="module")
def member(theirs: Checkout, docker_engine: str, images: str) -> Checkout:  # noqa: F811  the fixture of that name
    """That checkout, its user in the group that may use the engine."""
    socket = docker_engine.removeprefix("unix://")
    if not os.path.exists(socket):  # noqa: PTH110  a machine's engine may listen elsewhere
        pytest.skip("the engine has no socket with a group")
    group = os.stat(socket).st_gid  # noqa: PTH116
    theirs.wrapper = tuple(f"--groups={group}" if word == "--clear-groups" else word for word in theirs.wrapper)
    theirs.environment["DOCKER_HOST"] = docker_engine
    return theirs


def test_containers_have_the_users_own_rights(member: Checkout) -> None:
    member.lab("start", "--docker", "--no-site", "03", timeout=600)
    found = engine.containers(project.name(member.stack.state))
    assert {found[name].attrs["Config"]["User"] for name in ("scheduler", "triggerer", "topics")} == {f"{USER}:0"}
    member.send("orders", 95)
    until(lambda: member.handled("handle_order", 95), "the run", 120)
    work = "/opt/lab/work/03-asset-watchers/written-inside"
    assert found["scheduler"].exec_run(["touch", work]).exit_code == 0
    assert found["scheduler"].exec_run(["touch", "/opt/lab/labs/written-inside"]).exit_code != 0


def test_stop_leaves_no_file_of_another(member: Checkout) -> None:
    member.stop()
    assert (member.root / "work" / "03-asset-watchers" / "written-inside").exists()
    assert {path.lstat().st_uid for path in member.root.rglob("*")} == {USER}
