"""Whether each part does its work: heartbeats from the metadata database, answers to requests, not just open ports."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from labkit.airflow.metadata import Metadata
from labkit.errors import LabError
from labkit.i18n import t
from labkit.waiting import until

if TYPE_CHECKING:
    from labkit.brokers import Broker
    from labkit.stack.state import State

JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
STALE_AFTER = dt.timedelta(seconds=30)
"""When Airflow itself takes a job for dead (`scheduler_health_check_threshold` and its siblings)."""


@dataclass(frozen=True)
class Report:
    """What is known of one part."""

    ok: bool
    note: str = ""


def answers(url: str) -> bool:
    """Tell whether a web server answers this address now."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def api_urls(state: State) -> dict[str, str]:
    """Return an address of each API process that answers quickly when it works."""
    return {
        "api-server": f"{state.ui_url}/api/v2/version",
        "execution-api": f"http://127.0.0.1:{state.ports['execution-api']}/execution/health",
    }


def warm_up(state: State) -> None:
    """Ask the execution API something as soon as it listens, without waiting for the answer.

    Airflow builds the interface's versions at the first request, 2.5 s of work that the first task would wait for.
    """

    def ask() -> None:
        with contextlib.suppress(TimeoutError):
            until(lambda: answers(api_urls(state)["execution-api"]), seconds=60)

    threading.Thread(target=ask, daemon=True).start()


def report(state: State, broker: Broker) -> dict[str, Report]:
    """Return a report for each part that can be asked; parts without one are judged by their process alone."""
    reports = {name: Report(answers(url)) for name, url in api_urls(state).items()}
    reports["site"] = Report(answers(f"{state.site_url}/"))
    note = t("status.mock") if broker.name == "kafka-mock" else ""
    reports["kafka"] = Report(broker.healthy(state), note)
    try:
        with Metadata(state) as metadata:
            ages = metadata.heartbeats()
    except LabError:
        return reports | {name: Report(ok=False) for name in ("postgres", *JOBS)}
    reports["postgres"] = Report(ok=True)
    for name, job in JOBS.items():
        reports[name] = heartbeat(ages.get(job))
    return reports


def heartbeat(age: dt.timedelta | None) -> Report:
    """Return a report on a job by the age of its last heartbeat, None where it has none yet."""
    if age is None:
        return Report(ok=False, note=t("status.no_heartbeat"))
    return Report(age < STALE_AFTER, t("status.heartbeat", seconds=f"{age.total_seconds():.0f}"))
