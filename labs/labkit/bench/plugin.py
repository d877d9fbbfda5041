"""The bench as a pytest plugin: `pytest_plugins = ["labkit.bench.plugin"]` or `-p labkit.bench.plugin`.

It gives Airflow a temporary home before any test module can import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import examine, isolate

if TYPE_CHECKING:
    from collections.abc import Callable

    from .report import Report

isolate()


@pytest.fixture
def trigger_bench() -> Callable[..., Report]:
    """`trigger_bench(make, cause=…, events=…)`: the report on a trigger; `assert report.passed, report` shows it."""
    return examine
