"""Measures what the project promises and says whether it holds: `./lab bench [start] [latency] [idle] [clone]`.

Each figure is a ratio or a bound that was set beforehand. The figures of a run are written to `build/bench.json`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from labkit import config, paths, session, trace
from labkit.commands.start import lay_out
from labkit.stack.ports import any_free

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labkit.config import Lab
    from labkit.stack.local import LocalStack

console = Console(highlight=False)
EVENTS = 20
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """One measured value and the bound that it must keep."""

    name: str
    value: float
    unit: str
    bound: float
    at_most: bool = True

    @property
    def kept(self) -> bool:
        """Whether the value keeps the bound."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


# Start -----------------------------------------------------------------------------------------------------------


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
    console.print(f"  ours {_seconds(ours)}; airflow standalone {_seconds(theirs)}")
    yield Figure(
        "start to first run / standalone healthy", statistics.median(ours) / statistics.median(theirs), "", 0.6
    )


# Latency ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(labs: Sequence[Lab], *, defaults: bool = False, solved: bool = False) -> Iterator[LocalStack]:
    """Run a stack for the time of a measurement, with copies of some labs' Dags.

    Args:
        labs: Whose.
        defaults: With Airflow's settings as they come, the triggers' included.
        solved: With the exercises' solutions, so with all watchers that a learner ends up with.
    """
    session.sweep()
    with tempfile.TemporaryDirectory() as folder:
        former, paths.WORK = paths.WORK, Path(folder) / "work"
        labs = [replace(lab, folder=_copy(lab, Path(folder), defaults=defaults)) for lab in labs]
        lay_out(labs, solution=solved)
        stack = session.bring_up(labs, defaults=defaults)
        try:
            message = session.first_event(stack, config.main(labs))
            assert message is not None
            session.watch(stack, message)
            session.wait_for_interface(stack)
            yield stack
        finally:
            stack.stop()
            paths.WORK = former


def _copy(lab: Lab, folder: Path, *, defaults: bool) -> Path:
    """Copy a lab; without the triggers' own settings where Airflow's defaults are wanted."""
    target = folder / "labs" / lab.name
    shutil.copytree(lab.folder, target)
    if defaults:
        for file in target.rglob("*.py"):
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            file.write_text("".join(line for line in lines if "poll_timeout=" not in line), encoding="utf-8")
    return target


def latencies(stack: LocalStack) -> tuple[list[float], list[float]]:
    """Return the seconds from message to Dag run and to the end of the run, of spaced events."""
    first = config.main(config.labs()).first_event
    assert first is not None
    to_run, to_end = [], []
    ticked = dt.datetime.now(dt.UTC)
    for number in range(EVENTS):
        # The trigger starts anew within 2 s of each event. What is left to chance is where in the triggerer's loop of
        # 1 s an event falls: they are spread evenly over it, in an order of no meaning, from when it last came round.
        time.sleep(1)
        due = ticked + dt.timedelta(seconds=4 + (number * 7 % EVENTS + 0.5) / EVENTS)
        time.sleep(max(0, (due - dt.datetime.now(dt.UTC)).total_seconds()))
        value = trace.as_text({**first.value, "order_id": 100 + number})
        message = stack.broker.publish(stack.state, first.topic, [value])[0]
        with stack.metadata() as database:
            journey = trace.follow(database, message, timeout=60, log=lambda: stack.log("triggerer"))
        ticked = next(stage.at for stage in journey.stages if stage.name == "asset_event")
        to_run.append(journey.seconds("dag_run") or 0)
        to_end.append(journey.seconds("run_end") or 0)
    return to_run, to_end


def latency() -> Iterator[Figure]:
    """Compare our settings with Airflow's defaults, event by event, with the main lab solved: two watchers.

    With one watcher the defaults lose less: Kafka's triggers take turns in one thread, so each waits for the
    others' polls, a second each by default. That figure is printed too.
    """
    labs = [config.main(config.labs())]
    with running(labs, solved=True) as stack:
        to_run, to_end = latencies(stack)
    with running(labs, solved=True, defaults=True) as stack:
        default_to_run, _ = latencies(stack)
    with running(labs, defaults=True) as stack:
        alone, _ = latencies(stack)
    console.print(f"  message → Dag run: ours {_seconds(to_run)}; Airflow's defaults {_seconds(default_to_run)}")
    console.print(f"  message → run over: ours {_seconds(to_end)}")
    console.print(f"  message → Dag run, one watcher, Airflow's defaults {_seconds(alone)}")
    ours = statistics.median(to_run)
    yield Figure("message → Dag run, median", ours, "s", 0.8)
    yield Figure("Airflow's defaults / ours", statistics.median(default_to_run) / ours, "", 1.8, at_most=False)
    yield Figure("message → run over, median", statistics.median(to_end), "s", 3)


# Idle ------------------------------------------------------------------------------------------------------------


def idle(seconds: int = 60) -> Iterator[Figure]:
    """Measure what the stack takes when nothing happens, with all labs' Dags."""
    with running(config.labs(), solved=True) as stack:
        time.sleep(20)
        before = {process.pid: _cpu(process) for process in stack.everything()}
        began = time.monotonic()
        time.sleep(seconds)
        used = sum(_cpu(process) - before.get(process.pid, 0) for process in stack.everything())
        share = used / (time.monotonic() - began)
        held = sum(_pss(process) for process in stack.everything())
    yield Figure("idle, CPU of one core", share * 100, "%", 15)
    yield Figure("idle, memory (PSS)", held / 1e9, "GB", 1.6)


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        # Children that ended meanwhile are in their parents' sums.
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0


def _pss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    return 0


# Clone -----------------------------------------------------------------------------------------------------------


def clone() -> Iterator[Figure]:
    """Time a clean clone from nothing but a warm package cache to its first run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(paths.ROOT), str(place)], check=True)
        began = time.monotonic()
        process = subprocess.Popen(
            ["./lab", "--lang", "en", "start", "--no-site"], cwd=place, stdout=subprocess.PIPE, text=True
        )
        took = 0.0
        assert process.stdout is not None
        for line in process.stdout:
            if "the run is over" in line:
                took = time.monotonic() - began
        code = process.wait()
        subprocess.run(["./lab", "stop"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(place)
        if code or not took:
            sys.exit("the clone did not start")
    yield Figure("clean clone to first run", took, "s", 90)


def _seconds(values: list[float]) -> str:
    """Return minimum, median and maximum."""
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f} s"


BENCHES: dict[str, Callable[[], Iterator[Figure]]] = {"start": start, "latency": latency, "idle": idle, "clone": clone}


def main(names: list[str]) -> int:
    """Run the benchmarks and return 0 when every bound is kept."""
    for name in names:
        if name not in BENCHES:
            console.print(f"There is no benchmark {name}. There are: {', '.join(BENCHES)}.")
            return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session.sweep()
    figures: list[Figure] = []
    for name in names or BENCHES:
        console.rule(name, align="left", style="dim")
        figures += BENCHES[name]()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for figure in figures:
        mark = "[green]✓[/]" if figure.kept else "[red]✗[/]"
        sign = "≤" if figure.at_most else "≥"
        table.add_row(mark, figure.name, f"{figure.value:.2f} {figure.unit}", f"{sign} {figure.bound:g} {figure.unit}")
    console.print(table)
    airflow = metadata.version("apache-airflow")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Airflow {airflow}"
    console.print(f"[dim]{machine}[/]")
    paths.BUILD.mkdir(exist_ok=True)
    rows = [{"name": one.name, "value": one.value, "unit": one.unit, "bound": one.bound} for one in figures]
    report = {"machine": machine, "figures": rows}
    (paths.BUILD / "bench.json").write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
