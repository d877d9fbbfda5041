"""The stack that scale is measured on: Airflow's own settings, and Dags that are awake when they are asked for."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from labkit import config, paths, session
from labkit.airflow import settings
from labkit.airflow.api import Api
from labkit.brokers import moto
from labkit.waiting import until
from tests.bench.scale.windows import FAILING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab
    from labkit.stack.local import LocalStack

LAB = Path(__file__).parent / "lab"
BORROWED = "06-delivery-and-collapse"
"""The lab whose trigger makes a batch of what is there."""
READY = 90.0
"""Seconds until watchers that do not come, or do not go, are given up."""
CLEANED = ("asset_event", "dag_run", "task_instance", "xcom", "log")
"""What `airflow db clean` is run for; other tables go along with these."""
IDLE = "scale_idle"
"""The Dag with as many watchers as are asked for."""


def watchers_file(lab: Path, *, family: str = "file", watchers: int = 0, interval: float = 60, dags: int = 0) -> None:
    """Write down which watchers, and how many Dags that nobody runs, the Dag files are to have."""
    wanted = {"family": family, "watchers": watchers, "interval": interval, "dags": dags}
    (lab / "watchers.json").write_text(json.dumps(wanted), encoding="utf-8")


@dataclass
class Bed:
    """A stack and what a measurement needs of it."""

    stack: LocalStack
    lab: Lab
    metadata: Metadata
    api: Api

    def _watched(self) -> dict[str, bool]:
        """Return the watched assets, each with whether a triggerer has its trigger."""
        return {row.asset: row.triggerer is not None for row in self.metadata.watchers()}

    @contextlib.contextmanager
    def idle(self, family: str, watchers: int, interval: float, dags: int = 0) -> Iterator[None]:
        """Have watchers for which nothing comes, and Dags that nobody runs."""
        if family in {"sqs", FAILING}:
            self.stack.serve("aws")
            moto.create_queues(self.stack.state, self.lab.queues)
        watchers_file(self.lab.folder, family=family, watchers=watchers, interval=interval, dags=dags)
        self.api.set_paused(IDLE, paused=False)
        try:
            self._parse()
            until(lambda: self._count(run=True) == watchers, seconds=READY)
            yield
        finally:
            self.api.set_paused(IDLE, paused=True)
            watchers_file(self.lab.folder)
            self._parse()
            until(lambda: not self._count(), seconds=READY)

    def _count(self, *, run: bool = False) -> int:
        return sum(state or not run for asset, state in self._watched().items() if asset.startswith(f"{IDLE}_"))

    def _parse(self) -> None:
        """Have both Dag files parsed now."""
        for dag in (IDLE, "scale_more_0"):
            before = self.metadata.dags()[dag]["last_parsed_time"]
            self.api.reparse(dag)
            until(lambda: self.metadata.dags()[dag]["last_parsed_time"] != before, seconds=READY)  # noqa: B023  asked at once

    @contextlib.contextmanager
    def awake(self, asset: str, dags: Collection[str]) -> Iterator[None]:
        """Have some Dags awake, all scheduled on one watched asset."""
        for dag in dags:
            self.api.set_paused(dag, paused=False)
        try:
            self._parse()
            until(lambda: self._watched().get(asset), seconds=READY)
            yield
        finally:
            for dag in dags:
                self.api.set_paused(dag, paused=True)
            self._parse()
            until(lambda: asset not in self._watched(), seconds=READY)

    def table_sizes(self) -> dict[str, tuple[int, int]]:
        """Return rows and bytes of each of Airflow's tables, indexes included."""
        names = [
            row["name"]
            for row in self.metadata.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        ]
        one = "SELECT '{0}' AS name, count(*) AS rows, pg_total_relation_size('\"{0}\"') AS bytes FROM \"{0}\""
        query = " UNION ALL ".join(one.format(name) for name in sorted(names))
        return {row["name"]: (row["rows"], row["bytes"]) for row in self.metadata.rows(query)}

    def cpu(self) -> Counter[str]:
        """Return the seconds of CPU that each part has taken so far, and that the whole machine has.

        A triggerer is two processes, the parent with the database and the `runner` with the triggers; of the
        scheduler's family, all but itself are `tasks`.
        """
        taken: Counter[str] = Counter()
        for part, (own, rest) in _FAMILIES.items():
            first, *others = self.stack.family(part)
            with contextlib.suppress(psutil.Error):
                times = first.cpu_times()
                taken[own] += times.user + times.system
                taken[rest] += times.children_user + times.children_system
            for process in others:
                with contextlib.suppress(psutil.Error):
                    taken[rest] += sum(process.cpu_times()[:4])  # of ended children, too
        machine = psutil.cpu_times()
        taken["machine"] = sum(machine) - machine.idle - getattr(machine, "iowait", 0) - getattr(machine, "guest", 0)
        own_time = psutil.Process().cpu_times()
        taken["bench"] = own_time.user + own_time.system
        return taken

    def clean(self, before: str) -> float:
        """Run `airflow db clean` for events and runs older than a moment; returns the seconds that it took.

        Not for all tables: this moment is to come, and Dags and jobs that are alive would go, too.
        """
        stack = self.stack
        environment = settings.environment(stack.state, [self.lab])
        command = [sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before]
        tables = ["--tables", ",".join(CLEANED)]
        began = time.monotonic()
        done = subprocess.run(
            [*command, *tables, "--skip-archive", "--yes"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return time.monotonic() - began


_FAMILIES = {
    "triggerer": ("triggerer", "runner"),
    "scheduler": ("scheduler", "tasks"),
    "dag-processor": ("dag-processor", "dag-processor"),
    "execution-api": ("api", "api"),
    "api-server": ("api", "api"),
    "postgres": ("postgres", "postgres"),
    "kafka": ("broker", "broker"),
}
"""Part → what its own process, and what the processes that it started, are counted as."""


@contextlib.contextmanager
def bed() -> Iterator[Bed]:
    """Run a stack for the time of a measurement."""
    with session.lock(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = folder / "labs" / "91-scale"
        shutil.copytree(LAB, target)
        shutil.copytree(paths.LABS / BORROWED / "modules", target / "modules")
        (target / "drop").mkdir()
        watchers_file(target)
        former, paths.WORK = paths.WORK, folder / "work"
        try:
            labs = config.labs(target.parent)
            stack = session.bring_up(labs, defaults=True)
            session.wait_for_interface(stack)
            with stack.metadata() as metadata, Api(stack.state, patience=60) as api:
                until(lambda: {IDLE, "scale_more_0"} <= metadata.dags().keys(), seconds=READY)
                yield Bed(stack, labs[0], metadata, api)
        finally:
            session.sweep()  # also of one that Ctrl-C met on its way up
            paths.WORK = former


def cores() -> int:
    """Return how many cores there are."""
    return os.cpu_count() or 1
