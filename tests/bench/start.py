"""From typing `./lab start` to the first run, beside plain `airflow standalone`."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from labkit import paths
from labkit.stack.ports import any_free
from tests.bench.figures import Figure, console, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3


def first_run_seconds() -> float:
    """Return the seconds from typing `./lab start` until the run that its first event caused has succeeded."""
    began = time.monotonic()
    process = subprocess.Popen(
        ["./lab", "--lang", "en", "start", "--no-site"], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True
    )
    took = 0.0
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if "the run is over" in line:
            took = time.monotonic() - began
    if process.wait() or not took:
        sys.exit(f"the stack did not start:\n{said}")
    subprocess.run(["./lab", "stop"], cwd=paths.ROOT, check=True, stdout=subprocess.DEVNULL)
    return took


def standalone_seconds() -> float:
    """Return the seconds until plain `airflow standalone`, from an empty home, says that all its parts are healthy."""
    with tempfile.TemporaryDirectory() as home:
        port = any_free()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment |= {
            "AIRFLOW_HOME": home,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "NO_PROXY": "*",
            "SPT_NOENV": "1",
            "LAB_BENCH": home,
        }
        environment.pop("PYTHONPATH", None)
        began = time.monotonic()
        with (Path(home) / "standalone.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=environment, stdout=log, stderr=log, start_new_session=True, cwd=home,
            )  # fmt: skip
        try:
            while not _healthy(port):
                if time.monotonic() - began > 180 or process.poll() is not None:
                    sys.exit("airflow standalone did not become healthy")
                time.sleep(0.1)
            return time.monotonic() - began
        finally:
            process.kill()
            process.wait()
            _end_marked("LAB_BENCH", home)


def _healthy(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError, ValueError):
        parts = httpx.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=2, trust_env=False).json()
        return all(part.get("status") == "healthy" for part in parts.values())
    return False


def _end_marked(name: str, value: str) -> None:
    """Kill what a killed `airflow standalone` leaves running."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(name) == value:
                process.kill()


def start() -> Iterator[Figure]:
    """Compare our start, to a run that an event caused, with Airflow's, to healthy processes."""
    first_run_seconds()  # makes the template of the database
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(standalone_seconds())
        ours.append(first_run_seconds())
    console.print(f"  ours {spread(ours)}; airflow standalone {spread(theirs)}")
    yield Figure(
        "start to first run / standalone healthy", statistics.median(ours) / statistics.median(theirs), "", 0.6
    )
