"""What goes wrong behind the interface's back: watchers whose trigger fails again and again, and what mends it.

Airflow 3.3.2 starts a trigger that failed again after two rounds of the triggerer, for ever, and says so in the
triggerer's own output only (`TriggerRunner.cleanup_finished_triggers` in `airflow/jobs/triggerer_job_runner.py`): a
watcher has no task instance, so the interface has no page for its log.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.i18n import t

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labkit.airflow.metadata import Watcher

RECENT = dt.timedelta(seconds=60)
"""How old the last failure may be to count: one that was mended fails no more."""

_FAILED = re.compile(r"^(\d{4}-\S+) .*?Trigger ID (\d+) exited with error (.*)$")
_TAIL = re.compile(r"\s+(?:\[[\w.]+\]|error_detail=|loc=).*$", re.DOTALL)
_UNHEARD = re.compile(r"([\w.-]+:\d+)/\S*: Connect to \S+ failed: ([^(\"]+)")

PACKAGES = {
    "kafka": "apache-airflow-providers-apache-kafka",
    "sqs": "apache-airflow-providers-amazon",
    "kinesis": "apache-airflow-providers-amazon",
    "redis+pubsub": "apache-airflow-providers-redis",
    "google+pubsub": "apache-airflow-providers-google",
    "azure+servicebus": "apache-airflow-providers-microsoft-azure",
    "ibmmq": "apache-airflow-providers-ibm-mq",
}
"""Which package each scheme of the Common Message Queue comes with, November 2026."""


@dataclass(frozen=True)
class Complaint:
    """A watcher that fails.

    Attributes:
        asset: Whose watcher it is.
        watcher: Its name.
        error: What its trigger said last.
        count: How often it failed since the triggerer's log begins.
        at: When it last did.
    """

    asset: str
    watcher: str
    error: str
    count: int
    at: dt.datetime


def read(lines: Iterable[str], watchers: Sequence[Watcher]) -> list[Complaint]:
    """Return the watchers that fail, by asset.

    Args:
        lines: The triggerer's log.
        watchers: Those there are now; what others said is past.
    """
    known = {watcher.trigger: watcher for watcher in watchers}
    last: dict[int, tuple[dt.datetime, str]] = {}
    counts: dict[int, int] = {}
    for line in lines:
        match = _FAILED.match(line)
        if match is None or int(match[2]) not in known:
            continue
        trigger = int(match[2])
        last[trigger] = (dt.datetime.fromisoformat(match[1]), _TAIL.sub("", match[3]).strip())
        counts[trigger] = counts.get(trigger, 0) + 1
    found = [
        Complaint(known[trigger].asset, known[trigger].name, error, counts[trigger], at)
        for trigger, (at, error) in last.items()
    ]
    return sorted(found, key=lambda one: (one.asset, one.watcher))
