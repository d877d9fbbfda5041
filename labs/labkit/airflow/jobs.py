"""Which process is which job: the table `job` of Airflow 3.3 has neither the process nor a name of ours."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCK = dt.timedelta(seconds=1.5)
"""By how much a process may seem younger than its job: systems tell when they booted by the second."""


def matched(processes: Mapping[str, dt.datetime], jobs: Mapping[int, dt.datetime]) -> dict[str, int]:
    """Return the job of each process: the first one that began after it. A process without one yet is left out.

    Args:
        processes: Part → when its process began.
        jobs: Job → when it began; those of dead processes may be among them.
    """
    found: dict[str, int] = {}
    for part, began in sorted(processes.items(), key=lambda row: row[1]):
        later = [job for job in jobs if jobs[job] > began - CLOCK and job not in found.values()]
        if later:
            found[part] = min(later, key=lambda job: jobs[job])
    return found
