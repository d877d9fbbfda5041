"""The stack that the brokers are measured on: one lab, whose Dags are awake one at a time."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import config, paths, session
from labkit.airflow import usage
from labkit.airflow.api import Api
from labkit.brokers import client
from labkit.waiting import until
from tests.bench.brokers import trial
from tests.bench.brokers.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labkit.airflow.metadata import Metadata
    from labkit.stack.local import LocalStack
    from tests.bench.brokers.contenders import Contender
    from tests.bench.brokers.sources import Source
    from tests.bench.brokers.trial import Trial

LAB = Path(__file__).parent / "lab"
BORROWED = ("04-base-event-trigger", "06-delivery-and-collapse")
"""The labs whose triggers are measured, too."""
LEAD = 4.0
"""Seconds before the first event of a source that keeps nothing."""
READY = 60.0
"""Seconds until a contender whose first event does not come through is given up."""


@dataclass
class Bed:
    """A stack and what a trial needs of it."""

    stack: LocalStack
    folder: Path
    metadata: Metadata
    api: Api
    # Numbers of no other run: what an earlier stream left over is not taken for one of this.
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000)))

    def number(self) -> int:
        """Return the number of an event, used by no other."""
        return next(self._numbers)

    def source(self, contender: Contender) -> Source:
        """Return a source for one trial."""
        return contender.source(self.stack.state, self.folder)

    @contextlib.contextmanager
    def awake(self, *contenders: Contender) -> Iterator[None]:
        """Have the Dags of some contenders awake, each watched and with its first event behind it."""
        for contender in contenders:
            for part in contender.parts:
                self.stack.serve(part)
            self.source(contender).finish()  # makes the queue or table that the trigger asks for
            if contender.scheme == "kafka":
                client.skip_to_end(self.stack.state.bootstrap, contender.dag, contender.dag)
            self.api.set_paused(contender.dag, paused=False)
        try:
            self.api.reparse(contenders[0].dag)  # all Dags are in one file
            until(lambda: all(self._watched(one) for one in contenders), seconds=READY)
            for contender in contenders:
                self._first_event(contender)
            yield
        finally:
            for contender in contenders:
                self.api.set_paused(contender.dag, paused=True)
            self.api.reparse(contenders[0].dag)
            with contextlib.suppress(TimeoutError):
                until(lambda: not any(self._at_work(one) for one in contenders), seconds=READY)

    def _watched(self, contender: Contender) -> bool:
        run = {row.asset for row in self.metadata.watchers() if row.triggerer is not None}
        return run >= set(contender.assets)

    def _at_work(self, contender: Contender) -> bool:
        """Tell whether a contender is watched, runs, or reads."""
        watched = {row.asset for row in self.metadata.watchers()} & set(contender.assets)
        members = client.members(self.stack.state.bootstrap, [contender.dag]) if contender.scheme == "kafka" else {}
        return bool(watched or any(members.values()) or usage.unfinished(self.metadata, contender.dag))

    def _first_event(self, contender: Contender) -> None:
        """Send single events until one has come through: classes are imported, and who subscribes has subscribed."""
        deadline = time.monotonic() + READY
        while not self._one(contender).begun:
            if time.monotonic() > deadline:
                msg = f"no event of {contender.name} became a run within {READY:.0f} s"
                raise TimeoutError(msg)

    def _one(self, contender: Contender) -> Trial:
        return self.try_stream(contender, [0.0], rate=None)

    def try_stream(
        self,
        contender: Contender,
        offsets: Sequence[float],
        *,
        rate: float | None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Trial:
        """Run a trial."""
        numbers = [self.number() for _ in offsets]
        if not contender.keeps:
            # Where nobody listens, events are lost: the turn that the event before began has to be over.
            offsets = [LEAD + offset for offset in offsets]
        source = self.source(contender)
        return trial.run(
            self.metadata, contender, source, numbers, offsets, rate=rate, closing=self.number, tell=tell
        )  # fmt: skip


def lay_out(folder: Path) -> Path:
    """Put the bench's lab together: its Dags, and the triggers of the labs that have some; returns the lab's folder."""
    target = folder / "labs" / "90-brokers"
    shutil.copytree(LAB, target)
    for name in BORROWED:
        shutil.copytree(paths.LABS / name / "modules", target / "modules", dirs_exist_ok=True)
    (target / "drop" / "flags").mkdir(parents=True)
    return target


@contextlib.contextmanager
def bed() -> Iterator[Bed]:
    """Run a stack for the time of a measurement."""
    with session.lock(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab = lay_out(folder)
        former, paths.WORK = paths.WORK, folder / "work"
        try:
            stack = session.bring_up(config.labs(lab.parent))
            try:
                session.wait_for_interface(stack)
                until(lambda: {one.dag for one in CONTENDERS} <= stack.metadata().dags().keys(), seconds=READY)
                with stack.metadata() as metadata, Api(stack.state) as api:
                    yield Bed(stack, lab, metadata, api)
            finally:
                stack.stop()
        finally:
            paths.WORK = former
