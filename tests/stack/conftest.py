"""One checkout for all tests of the stack, and one running stack for as many of them as possible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from arranging import arrange
from driver import Checkout

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

HERE = Path(__file__).parent
ORDER = (
    *("start", "use", "notebooks", "lab01", "lab02", "lab04", "lab05", "lab06_collapse", "lab06_delivery", "lab07"),
    *(
        "triggerers",
        "statements",
        "faults",
        "stop",
        "bench",
        "scale",
        "environment",
        "interrupts",
        "mock",
        "nobody",
        "cycles",
    ),
)
"""Those that share a running stack come first, one after the other: a start costs 10 to 20 seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests here, and put them in order."""
    arrange(items, HERE, ORDER)


@pytest.fixture(scope="session")
def sources(root: Path, project_files: list[Path]) -> list[Path]:
    """The project's files, from a checkout whose environment is up to date: the copies share it."""
    lock = root / ".venv" / "lab.lock"
    if not lock.exists() or lock.read_bytes() != (root / "requirements.lock").read_bytes():
        pytest.fail("the environment is not that of requirements.lock: run ./lab --version first", pytrace=False)
    return project_files


@pytest.fixture(scope="session")
def checkout(root: Path, sources: list[Path]) -> Iterator[Checkout]:
    """A copy of the project in which nothing has been started yet."""
    checkout = Checkout.make(root, sources)
    yield checkout
    checkout.remove()


@pytest.fixture(scope="session")
def first_start(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """`./lab start` in a fresh clone, as it ended."""
    return checkout.lab("start", "--no-site", code=None)


@pytest.fixture
def running(checkout: Checkout, request: pytest.FixtureRequest) -> Checkout:
    """The checkout with a whole stack, which has lab 03 or the lab that the test's file is named for."""
    named = re.search(r"test_lab(\d\d)", request.path.name)
    return checkout.having(named[1]) if named else checkout.having()


@pytest.fixture
def stopped(checkout: Checkout) -> Iterator[Checkout]:
    """The checkout without a stack, before and after."""
    if checkout.state is not None:
        checkout.stop()
    yield checkout
    if checkout.state is not None or checkout.processes():
        checkout.stop()
