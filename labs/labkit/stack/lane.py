"""What a stack does in the same way on every lane: waiting for a part, and what runs once somebody asks for it."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from labkit import config, scale
from labkit.airflow.metadata import Metadata
from labkit.brokers import moto, redis
from labkit.errors import LabError
from labkit.i18n import listed
from labkit.stack import desk
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labkit.brokers import Broker
    from labkit.stack.state import State

DAG_PROCESSOR = "dag-processor"
"""The part that reads Dag files."""
TRIGGERER = "triggerer"
"""The part that runs triggers."""
SECOND_TRIGGERER = f"{TRIGGERER}-2"
"""The triggerer that shares the first one's work, and takes over what a dead one leaves."""
SERVED = {moto.NAME: moto, redis.NAME: redis}
"""Servers that run once a lab asks for them."""
ON_DEMAND = frozenset({desk.NOTEBOOK, SECOND_TRIGGERER, *SERVED})
"""Parts that run only when asked for."""


class Lane(abc.ABC):
    """A stack without what makes it one of processes or of containers."""

    state: State
    broker: Broker

    @abc.abstractmethod
    def part_names(self) -> list[str]:
        """Return the names of all parts."""

    @abc.abstractmethod
    def start_part(self, name: str) -> None:
        """Start a part; harmless where it runs."""

    @abc.abstractmethod
    def runs(self, part: str) -> bool:
        """Tell whether a part has a process, or a container that runs."""

    @abc.abstractmethod
    def triggerers(self) -> dict[str, int]:
        """Return the triggerers that run: part → job, as the metadata database knows them."""

    @abc.abstractmethod
    def tail(self, part: str) -> str:
        """Return the end of a part's log, for an error's details."""

    @abc.abstractmethod
    def log(self, part: str) -> Iterator[str]:
        """Yield the lines that a part has written so far."""

    def trigger_log(self) -> Iterator[str]:
        """Yield the lines that the triggerers have written so far, of one after the other."""
        for name in self.part_names():
            if scale.split(name)[0] == TRIGGERER:
                yield from self.log(name)

    def start_airflow(self, *names: str) -> None:
        """Start some of Airflow's parts; they run when this returns, but may have work to do before they are ready."""
        for name in names:
            self.start_part(name)

    def on_demand(self) -> frozenset[str]:
        """Return the names of the parts that run only when asked for."""
        return ON_DEMAND

    def always_on(self) -> list[str]:
        """Return the names of the parts that run as long as the stack does."""
        on_demand = self.on_demand()
        return [name for name in self.part_names() if name not in on_demand]

    def check_part(self, name: str) -> None:
        """Raise a usage error for a part that does not exist."""
        if name not in self.part_names():
            raise LabError("stack.unknown_part", exit_code=2, part=name, known=listed(self.part_names()))

    def metadata(self) -> Metadata:
        """Return the reader of the metadata database."""
        return Metadata(self.state)

    def notebook_token(self) -> str:
        """Return what opens JupyterLab; its server writes it into the stack's folder."""
        return desk.notebook_token(self.state, self.tail(desk.NOTEBOOK))

    def serve(self, name: str) -> None:
        """Start a server that runs on demand, and wait until it answers. Harmless where it runs already.

        What stands in for AWS gets the labs' queues, too, for a restart makes it forget them.

        Raises:
            LabError: There is no such part, or it did not come up.
        """
        part = SERVED.get(name)
        if part is None:
            raise LabError("stack.unknown_part", exit_code=2, part=name, known=listed(SERVED))
        self.start_part(name)
        self._wait_for(lambda: part.healthy(self.state), name, timeout=30)
        if name == moto.NAME:
            labs = [lab for lab in config.labs() if lab.name in self.state.known]
            moto.create_queues(self.state, (queue for lab in labs for queue in lab.queues))

    def add_triggerer(self) -> None:
        """Start the second triggerer, and wait until Airflow counts on it. Harmless where it runs already.

        What the first one runs stays with it: Airflow gives a triggerer what is new, and what a dead one leaves.

        Raises:
            LabError: It did not come up.
        """
        if self.runs(SECOND_TRIGGERER):
            return
        self.start_airflow(SECOND_TRIGGERER)
        # Not any new one: in the first seconds of a stack, the first one's may be new, too.
        self._wait_for(lambda: SECOND_TRIGGERER in self.triggerers(), SECOND_TRIGGERER, timeout=60)

    def _wait_for(self, condition: Callable[[], bool], part: str, *, timeout: float) -> None:
        """Wait until a part does what it should.

        Raises:
            LabError: It did not; the end of its log is in the details.
        """
        try:
            until(condition, seconds=timeout, pause=0.02)
        except TimeoutError as error:
            raise LabError("stack.part_failed", part=part, details=self.tail(part)) from error
