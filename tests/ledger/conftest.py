"""The ledger's tests: one fact of the seed article each, against the Airflow that is installed here.

The outcome of a whole run goes to `build/ledger.json`, from which the page is made (`book/_ext/ledger.py`).

Airflow reads its settings when it is imported, so they are made here, before any test module imports it: a home of its
own, and a PostgreSQL of its own, which starts with the first test that asks for it (`world`).
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ledger_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

HERE = Path(__file__).parent
RUN = Path(tempfile.mkdtemp(prefix="ledger-"))
SETTINGS = {
    "AIRFLOW_HOME": str(RUN / "airflow"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@/postgres?host={RUN}/postgres",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",  # a paused Dag has no watcher
    # Made by `airflow db migrate` in an Airflow that somebody set up; with none, kwargs would not be encrypted.
    "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}
for name in [name for name in os.environ if name.startswith(("AIRFLOW", "_AIRFLOW"))]:
    del os.environ[name]
os.environ.update(SETTINGS)

OUTCOMES: dict[str, str] = {}


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """A PostgreSQL with Airflow's tables, for the whole session."""
    from world import serve

    with serve(RUN):
        yield


@pytest.fixture
def world(database: None) -> Iterator[World]:
    """Airflow's tables, empty, and what its processes do to them."""
    from world import World

    world = World()
    yield world
    world.forget()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep each test's outcome: a failure of its fixtures counts, and so does a skip."""
    name = report.nodeid.rpartition("::")[2].partition("[")[0]
    if report.outcome != "passed":
        OUTCOMES[name] = report.outcome
    elif report.when == "call":
        OUTCOMES.setdefault(name, "passed")


@pytest.hookimpl(trylast=True)  # the server stops before
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the outcomes, unless only some rows were asked for: half a run proves nothing about the rest."""
    shutil.rmtree(RUN, ignore_errors=True)
    rows = ledger_rows.load().rows
    if all(row.test_function in OUTCOMES for row in rows):
        outcomes = {row.id: OUTCOMES[row.test_function] for row in rows}
        ledger_rows.write_results(outcomes, airflow=metadata.version("apache-airflow"))
