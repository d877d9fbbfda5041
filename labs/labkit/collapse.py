"""Counts how many runs events make: the same events for the same Dags, on whatever release of Airflow they run.

`lab.toml` says what is sent to which Dag. Events come in by Airflow's REST interface; from the table `asset_event` on,
that is a watcher's way as well. So that chance has no part in it, the scheduler is held still while events that belong
together are sent: it finds them all at its next look, as one does that has much else to do.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit import arrivals, drawing
from labkit.airflow import queueing
from labkit.airflow.api import Api
from labkit.errors import LabError
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from labkit.airflow.queueing import Mark
    from labkit.config import Case
    from labkit.drawing import Drawing
    from labkit.stack import Stack

QUIET = 3.0
"""Seconds without anything that waits or runs, after which nothing more will come of the events so far: several looks
of the scheduler."""
PATIENCE = 180.0
"""Seconds until events that still wait for something are given up."""
ANSWER = 30.0
"""Seconds to wait for one answer of the REST interface: it shares its machine with all the tasks."""
PARSED = 90.0
"""Seconds until the Dags have to be there."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case's events.

    Attributes:
        case: Its name.
        events: How many were sent.
        runs: How many of them each run had, in the order of the runs.
        left: How many belonged to no run when nothing more happened.
        then: The same for the runs that came after one more event on each of the case's assets.
        still: How many belonged to no run even then.
    """

    case: str
    events: int
    runs: list[int]
    left: int
    then: list[int]
    still: int


@dataclass(frozen=True, repr=False)
class Report:
    """What one release of Airflow made of all cases."""

    airflow: str
    outcomes: list[Outcome]

    def __getitem__(self, case: str) -> Outcome:
        """Return a case's outcome."""
        return next(one for one in self.outcomes if one.case == case)

    @property
    def table(self) -> pd.DataFrame:
        """One row a case: events, how many runs and which of the events each had; then after one more."""
        import pandas as pd  # noqa: PLC0415

        rows = [
            {
                "case": one.case,
                "events": one.events,
                "runs": len(one.runs),
                "events per run": listed(one.runs),
                "stranded": one.left,
                "after one more": listed(one.then),
                "still stranded": one.still,
            }
            for one in self.outcomes
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return str(self.table.to_string(index=False))

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, border=0))

    def against(self, predicted: Mapping[str, float]) -> Drawing:
        """Return a chart of the runs that somebody predicted, by case, beside those that there were."""
        groups = {
            one.case: {"predicted": predicted[one.case], "counted": len(one.runs)}
            for one in self.outcomes
            if one.case in predicted
        }
        return drawing.pairs(groups, unit="Dag runs")

    def beside(self, *others: Report) -> Drawing:
        """Return a chart of the runs by case, for this release and others."""
        reports = (self, *others)
        names = list(dict.fromkeys(one.case for report in reports for one in report.outcomes))
        groups: dict[str, dict[str, float]] = {name: {} for name in names}
        for report in reports:
            for one in report.outcomes:
                groups[one.case][report.airflow] = len(one.runs)
        return drawing.pairs(groups, unit="Dag runs")

    def save(self, file: Path) -> None:
        """Write it down."""
        file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")


def load(file: Path) -> Report:
    """Return a report that was written down."""
    table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return Report(table["airflow"], [Outcome(**row) for row in table["outcomes"]])


def listed(numbers: Sequence[int]) -> str:
    """Return the events of runs as people read them: `1 + 4` are two runs."""
    return " + ".join(map(str, numbers)) or "none"


def run(stack: Stack, cases: Sequence[Case], tell: Callable[[str], None] = lambda _: None) -> Report:
    """Send each case's events and count the runs.

    Args:
        stack: A running stack that has the Dags.
        cases: What to send. All go side by side: their Dags and assets have nothing to do with each other.
        tell: Called with the phase that begins: `dags`, `burst`, `settle`, `more`.

    Raises:
        LabError: A Dag does not turn up, or events do not come to rest.
    """
    return _Count(stack, cases, tell).run()


class _Count:
    def __init__(self, stack: Stack, cases: Sequence[Case], tell: Callable[[str], None]) -> None:
        self.stack = stack
        self.cases = cases
        self.tell = tell
        self.dags = [case.dag for case in cases]

    def run(self) -> Report:
        with self.stack.metadata() as self._metadata, Api(self.stack.state, ANSWER) as self._api:
            self.tell("dags")
            self._await_dags()
            try:
                return self._run()
            finally:
                self._pause(paused=False)

    def _run(self) -> Report:
        metadata = self._metadata
        self._settle()  # whoever was here before may have left something at work
        begin = queueing.mark(metadata)
        self.tell("burst")
        self._pause(paused=True)
        self._send()
        self.tell("settle")
        self._settle()
        self._pause(paused=False)
        self._settle()
        first = {case.name: queueing.count(metadata, case.dag, case.events, begin) for case in self.cases}
        self.tell("more")
        with self.stack.hold("scheduler"):
            for case in self.cases:
                for asset in dict.fromkeys(case.events):
                    self._event(asset)
        self._settle()
        outcomes = []
        for case in self.cases:
            before = first[case.name]
            after = queueing.count(metadata, case.dag, case.events, begin)
            outcomes.append(
                Outcome(case.name, before.events, before.runs, before.left, after.runs[len(before.runs) :], after.left)
            )
        return Report(self.stack.state.versions["airflow"], outcomes)

    def _await_dags(self) -> None:
        assets = {asset for case in self.cases for asset in case.events}
        try:
            until(lambda: set(self.dags) <= self._metadata.dags().keys(), seconds=PARSED)
            until(lambda: len(queueing.asset_ids(self._metadata, assets)) == len(assets), seconds=PARSED)
        except TimeoutError as error:
            raise LabError("collapse.no_dags", details=self._reasons()) from error
        self._ids = queueing.asset_ids(self._metadata, assets)

    def _reasons(self) -> str:
        return "\n".join(f"{one.file}: {one.reason}" for one in self._metadata.import_failures())

    def _pause(self, *, paused: bool) -> None:
        """Let all Dags go on, or pause those that are to be paused."""
        for case in self.cases:
            self._api.set_paused(case.dag, paused=paused and case.paused)

    def _event(self, asset: str) -> None:
        self._api.call("POST", "assets/events", json={"asset_id": self._ids[asset], "extra": {}})

    def _send(self) -> None:
        """Send everything: what comes at once while the scheduler is held, the rest one after the other."""
        begin = queueing.mark(self._metadata)
        with self.stack.hold("scheduler"):
            for case in self.cases:
                for asset in case.events[: 1 if case.gap else None]:
                    self._event(asset)
        paced = [case for case in self.cases if case.gap]
        # The first one's run is there before the others come.
        self._wait(lambda: all(self._has_run(case, begin) for case in paced))
        plan = sorted(
            (case.gap * place, asset) for case in paced for place, asset in enumerate(case.events[1:], start=1)
        )
        for position in arrivals.paced([offset for offset, _ in plan]):
            self._event(plan[position][1])

    def _has_run(self, case: Case, since: Mark) -> bool:
        return bool(queueing.count(self._metadata, case.dag, case.events, since).runs)

    def _settle(self) -> None:
        """Wait until nothing waits and nothing runs, and has not for some seconds."""
        since = time.monotonic()

        def quiet() -> bool:
            nonlocal since
            if queueing.pending(self._metadata, self.dags):
                since = time.monotonic()
            return time.monotonic() - since > QUIET

        self._wait(quiet)

    def _wait(self, condition: Callable[[], bool]) -> None:
        try:
            until(condition, seconds=PATIENCE)
        except TimeoutError as error:
            failing = self.stack.failing()
            raise LabError(
                "collapse.no_rest", seconds=f"{PATIENCE:.0f}", details=failing[1] if failing else ""
            ) from error
