"""When, where and with what a benchmark measures: what a record keeps beside its numbers."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labkit.stack.local import LocalStack


def circumstances(stack: LocalStack, packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return date, machine and versions.

    Args:
        stack: What is measured.
        packages: Whose versions matter beside Airflow's, Kafka's and PostgreSQL's.
    """
    with stack.metadata() as database:
        server = database.rows("SHOW server_version")[0]["server_version"]
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9),
        },
        "versions": {
            "airflow": metadata.version("apache-airflow"),
            "python": platform.python_version(),
            "kafka": stack.state.versions["kafka"],
            "postgresql": str(server).split()[0],
            **{name: metadata.version(name) for name in packages},
        },
    }
