"""An engine, the images, and one checkout with a stack of containers for all tests here."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "stack"))

from arranging import arrange  # noqa: E402  the tests of both lanes are ordered in the same way
from driver import Checkout  # noqa: E402  and drive a checkout in the same way

from labkit import compose_lane, paths  # noqa: E402
from labkit.errors import LabError  # noqa: E402
from labkit.stack.compose import engine  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINE = paths.STATE / "engine"
"""Where our own engine keeps its images, for the next run."""
WAYS_OUT = (
    "On Debian, root gets an engine by `tests/compose/engine.sh install`. LAB_SKIP_DOCKER=1 goes without this lane."
)
ORDER = (
    "images",
    "use_of_containers",
    *(f"solution_0{number}" for number in range(1, 7)),
    "all_notebooks",
    "stop",
    "scale",
    "without_rights",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests here, and put them in order."""
    arrange(items, HERE, ORDER)


def _refusal() -> str:
    """Return what is wrong with the engine that answers now, nothing where it will do."""
    engine.connect.cache_clear()
    told = ""
    try:
        engine.check()
    except LabError as error:
        told = str(error)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # the SDK leaves the socket open that it could not connect
    return told


@pytest.fixture(scope="session", autouse=True)
def docker_engine() -> Iterator[str]:
    """The address of an engine: this machine's, or one of our own that ends with the tests."""
    if os.environ.get("LAB_SKIP_DOCKER") == "1":
        pytest.skip("LAB_SKIP_DOCKER=1: THE COMPOSE LANE IS NOT TESTED")
    if not _refusal():
        yield engine.address()
        return
    script = str(HERE / "engine.sh")
    # The engine inherits what it writes to: a pipe would stay open as long as it lives.
    begun = subprocess.run([script, "start", str(ENGINE)], stdout=subprocess.DEVNULL, check=False).returncode == 0
    os.environ["DOCKER_HOST"] = f"unix://{ENGINE}/docker.sock"
    try:
        if refusal := _refusal():
            pytest.exit(f"THE COMPOSE LANE CANNOT BE TESTED: {refusal} {WAYS_OUT}", 1)
        yield os.environ["DOCKER_HOST"]
    finally:
        if begun:  # another's, which others may be using, is left alone
            subprocess.run([script, "stop", str(ENGINE)], check=False)
        del os.environ["DOCKER_HOST"]


@pytest.fixture(scope="session")
def sources(project_files: list[Path]) -> list[Path]:
    """What the other lane's tests call the project's files."""
    return project_files


@pytest.fixture(scope="session")
def checkout(root: Path, project_files: list[Path], docker_engine: str) -> Iterator[Checkout]:
    """A copy of the project in which nothing has been started yet."""
    checkout = Checkout.make(root, project_files)
    # Another home has none of the contexts that tell where the engine is.
    checkout.environment["DOCKER_HOST"] = docker_engine
    yield checkout
    checkout.remove()


@pytest.fixture(scope="session")
def images(checkout: Checkout) -> str:
    """What `./lab images` says once all are there: fetched, or made here where no registry answers."""
    told = checkout.lab("images").stdout
    if "to be fetched" in told:
        with contextlib.suppress(LabError):
            compose_lane.fetch()
        told = checkout.lab("images").stdout
    if "to be fetched" in told or "stand-in" in told:  # a stand-in whose recipe changed is made anew
        checkout.lab("images", "--offline", timeout=1800)
        told = checkout.lab("images").stdout
    return told


@pytest.fixture(scope="session")
def first_start(checkout: Checkout, images: str) -> subprocess.CompletedProcess[str]:
    """`./lab start --docker` as it ended."""
    return checkout.lab("start", "--docker", "--no-site", code=None, timeout=600)


@pytest.fixture
def running(
    checkout: Checkout, first_start: subprocess.CompletedProcess[str], request: pytest.FixtureRequest
) -> Checkout:
    """The checkout with a whole stack of containers, and the lab that the test's file is named for."""
    assert first_start.returncode == 0, first_start.stdout + first_start.stderr
    if not checkout.whole:
        checkout.lab("start", "--docker", "--no-site", timeout=600)
    named = re.search(r"test_solution_(\d\d)", request.path.name)
    return checkout.having(named[1]) if named else checkout
