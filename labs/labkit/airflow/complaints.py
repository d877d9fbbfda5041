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

from labkit.i18n import listed, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labkit.airflow.metadata import Watcher

RECENT = dt.timedelta(seconds=60)
"""How old the last failure may be to count: one that was mended fails no more."""
_ASKING = dt.timedelta(seconds=15)
"""How long ago a Kafka client may have asked to be taken for asking still; its pauses grow to 10 seconds."""

_FAILED = re.compile(r"^(\d{4}-\S+) .*?Trigger ID (\d+) exited with error (.*)$")
_TAIL = re.compile(r"\s+(?:\[airflow\.jobs\.\w+\]|error_detail=).*$", re.DOTALL)
_UNHEARD = re.compile(r"^(\d{4}-\S+) .*[ \"]([\w.-]+:\d+)/\w+: Connect to \S+ failed")

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

    @property
    def age(self) -> dt.timedelta:
        """How long ago it last failed."""
        return dt.datetime.now(dt.UTC) - self.at

    def told(self) -> str:
        """Return a sentence about it, in the user's language, that the error follows."""
        seconds = f"{self.age.total_seconds():.0f}"
        return t("complaint.failing", watcher=self.watcher, asset=self.asset, count=self.count, seconds=seconds)


def recent(lines: Iterable[str], watchers: Sequence[Watcher]) -> list[Complaint]:
    """Return the watchers that failed in the last minute, by asset; arguments as for `read`."""
    return [one for one in read(lines, watchers) if one.age < RECENT]


def read(lines: Iterable[str], watchers: Sequence[Watcher]) -> list[Complaint]:
    """Return the watchers that fail, by asset.

    Args:
        lines: The triggerers' logs.
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
        at = dt.datetime.fromisoformat(match[1])
        if trigger not in last or at >= last[trigger][0]:  # with several triggerers, one's lines come after another's
            last[trigger] = (at, _TAIL.sub("", match[3]).strip())
        counts[trigger] = counts.get(trigger, 0) + 1
    found = [
        Complaint(known[trigger].asset, known[trigger].name, error, counts[trigger], at)
        for trigger, (at, error) in last.items()
    ]
    return sorted(found, key=lambda one: (one.asset, one.watcher))


def unheard(lines: Iterable[str]) -> list[str]:
    """Return the addresses at which Kafka clients in the triggerer ask in vain, now.

    librdkafka tries again for ever and tells nobody but its log, without a name: the provider's `error_callback`
    prints it (`airflow/providers/apache/kafka/hooks/consume.py`).

    Args:
        lines: The triggerer's log.
    """
    now = dt.datetime.now(dt.UTC)
    found = (_UNHEARD.match(line) for line in lines if "Connect to" in line)
    return sorted({one[2] for one in found if one and now - dt.datetime.fromisoformat(one[1]) < _ASKING})


def mend(error: str) -> str:
    """Return what to do about an error of a trigger or of a Dag file, empty where nothing better is known.

    Args:
        error: Airflow's own words, or those of a client library.
    """
    for pattern, word in _MENDS:
        match = re.search(pattern, error)
        if match:
            return word(match)
    return ""


def _scheme(found: re.Match[str]) -> str:
    scheme = found[1]
    if scheme in PACKAGES:
        return t("complaint.package", scheme=scheme, package=PACKAGES[scheme])
    return t("complaint.scheme", scheme=scheme, known=listed(PACKAGES))


_MENDS = (
    (r"scheme '([^']*)' is not recognized", _scheme),
    (r"queue '([^']*)' is not recognized", lambda found: t("complaint.address", address=found[1])),
    (r"unexpected keyword argument '(\w+)'", lambda found: t("complaint.argument", name=found[1])),
    (r"conn_id `([^`]*)` isn't defined", lambda found: t("complaint.connection", name=found[1])),
    (r"must specify a region|locate credentials", lambda _: t("complaint.aws")),
    (r"UNKNOWN_TOPIC_OR_PART|Unknown topic or partition", lambda _: t("complaint.topic")),
    (r"NonExistentQueue|queue does not exist", lambda _: t("complaint.queue")),
    (r"connect to the endpoint URL: \"\w+://([^/\"]+)", lambda found: t("complaint.unreachable", address=found[1])),
    (r"Error -?\d+ connecting to (\S+?)\.(?:\s|$)", lambda found: t("complaint.unreachable", address=found[1])),
    (r"(?i)authenticat|WRONGPASS|NOAUTH", lambda _: t("complaint.password")),
    (r"No module named '([\w.]+)'", lambda found: t("complaint.module", name=found[1])),
)
"""What an error says, and what then is to be done; the first that fits counts."""
