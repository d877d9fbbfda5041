"""A user without any rights starts a stack; the rest of the suite may well run as root."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from driver import Checkout, until

from labkit import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 65534
"""`nobody`, on Linux."""

VIEW = """
set -e
base=$1; shift
n=0
while [ "$1" != -- ]; do mkdir -p "$base/view/$n"; mount --bind "$1" "$base/view/$n"; n=$((n + 1)); shift; done
shift
while [ "$1" != -- ]; do mount -t tmpfs -o mode=755 lab-test "$1"; shift; done
shift
n=0
while [ "$1" != -- ]; do mkdir -p "$1"; mount --bind "$base/view/$n" "$1"; n=$((n + 1)); shift; done
shift
exec "$@"
"""
"""Shows folders below a closed one, such as Python below /root, in a mount namespace that only its processes see."""


def closed_above(path: Path) -> Path | None:
    """Return the topmost folder on the way to a path that others may not enter."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH), None)


@pytest.fixture(scope="module")
def theirs(root: Path, sources: list[Path]) -> Iterator[Checkout]:
    """A checkout that belongs to nobody."""
    if os.geteuid() != 0:
        pytest.skip("the whole suite runs as a user without rights")
    if not shutil.which("setpriv") or not shutil.which("unshare"):
        pytest.skip("there is no setpriv or unshare here (util-linux)")
    checkout = Checkout.make(root, sources)
    shutil.copytree(paths.cache() / "maven", checkout.base / "cache" / "maven")
    checkout.environment["LAB_CACHE"] = str(checkout.base / "cache")
    for place in (checkout.base, *checkout.base.rglob("*")):
        os.chown(place, USER, USER, follow_symlinks=False)
    needed = [Path(sys.base_prefix), root / ".venv"]
    hidden = [one for one in needed if closed_above(one)]
    closed = sorted({str(closed_above(one)) for one in hidden})
    names = [str(one) for one in hidden]
    drop = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    view = ("unshare", "--mount", "sh", "-c", VIEW, "sh", str(checkout.base))
    checkout.wrapper = (*view, *names, "--", *closed, "--", *names, "--", *drop) if hidden else drop
    able = subprocess.run([*checkout.wrapper, "true"], cwd="/", capture_output=True, text=True, check=False)
    if able.returncode:
        checkout.remove()
        pytest.skip(f"this system lets root give up no rights: {able.stderr.strip()}")
    yield checkout
    try:
        if checkout.state is not None:
            checkout.stop()
    finally:
        checkout.remove()


def test_a_user_without_rights_starts_a_stack_from_nothing(theirs: Checkout) -> None:
    told = theirs.lab("start", "--no-site")
    assert "the run is over" in told.stdout
    owners = {process.uids().real for process in theirs.processes()}
    assert owners == {USER}


def test_an_event_goes_through_and_all_parts_are_well(theirs: Checkout) -> None:
    theirs.send("orders", 95)
    until(lambda: theirs.handled("handle_order", 95), "the run", 90)
    until(lambda: all(part.healthy for part in theirs.stack.parts()), "every part to be well", 90)
    theirs.lab("status")


def test_stop_leaves_nothing_of_what_hides_itself_from_all_but_root(theirs: Checkout) -> None:
    theirs.stop()


def test_stop_leaves_nothing_of_a_stack_that_lost_its_supervisor(theirs: Checkout) -> None:
    theirs.lab("start", "--no-site")
    theirs.remember()
    keepers = [one for one in theirs.processes() if "supervisor.supervisord" in " ".join(one.cmdline())]
    for keeper in keepers:
        keeper.kill()
        keeper.wait(10)
    theirs.stop()
