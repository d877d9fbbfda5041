"""A test bench for Airflow's triggers: runs any of them in-process, under a clock that jumps, and says what is wrong.

    from labkit.bench import examine

    report = examine(lambda: FileDeleteTrigger(path), cause=lambda n: path.touch())
    print(report)
    assert report.passed

This folder needs nothing but the standard library and Airflow (3.3 or later; made with 3.3.2): copy it into a project
of yours under any name and import it from there. Airflow is imported when a trigger is examined, not before.
"""

from __future__ import annotations

from .examination import examine, examine_async
from .report import CHECKS, Finding, Report
from .store import StateStore
from .triggerer import isolate

__all__ = ["CHECKS", "Finding", "Report", "StateStore", "examine", "examine_async", "isolate"]
