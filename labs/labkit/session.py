"""The stack that this checkout has: finding it, locking it, starting it whole."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

import filelock
from rich.markup import escape

from labkit import config, paths, trace
from labkit.airflow import health
from labkit.brokers.kafka import Kafka
from labkit.errors import LabError
from labkit.i18n import t
from labkit.stack import lanes
from labkit.stack import state as states
from labkit.stack.local import LocalStack
from labkit.stack.side import SideStack
from labkit.ui import console, download, step
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from labkit.brokers import Message
    from labkit.config import Lab
    from labkit.stack import Stack
    from labkit.trace import Journey


def current() -> Stack:
    """Return the running stack.

    Raises:
        LabError: There is none, or it did not come to its end; the message says which command mends it.
    """
    state = states.load()
    if state is None:
        raise LabError("stack.none")
    stack = lanes.stack(state)
    if not stack.alive:
        raise LabError("stack.dead")
    return stack


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Hold the checkout's lock: one `start` or `stop` at a time. The system frees it when its holder dies."""
    paths.STATE.mkdir(exist_ok=True)
    guard = filelock.FileLock(paths.STATE / "lock")
    try:
        guard.acquire(timeout=0)
    except filelock.Timeout:
        console.print(t("start.waiting"))
        guard.acquire()
    try:
        yield
    finally:
        guard.release()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into what Ctrl-C does, so that a closed terminal cleans up as well."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def sweep() -> int:
    """Remove what a stack that is not whole left behind: processes, files, the record.

    Returns:
        How many processes and containers were found.
    """
    SideStack.sweep()  # of a command that was killed
    state = states.load()
    if state is None:
        return 0
    stack = lanes.stack(state)
    count = stack.count()
    stack.stop()
    return count


@contextlib.contextmanager
def side(python: Path, version: str, dags: Sequence[Path]) -> Iterator[SideStack]:
    """Have a second Airflow beside the stack, for as long as the block runs.

    Args:
        python: The interpreter of an environment that has it.
        version: Which Airflow that is.
        dags: Folders with its Dags.

    Raises:
        LabError: It did not come up.
    """
    with filelock.FileLock(paths.STATE / "side.lock"):  # one at a time: there is one record
        SideStack.sweep()
        stack = SideStack.beside(python, version)
        try:
            stack.start(dags)
            yield stack
        finally:
            stack.stop()


def having(lab: Lab, *, silent: bool = False) -> Stack:
    """Return the running stack with the Dags of a lab; they are loaded where they are not there yet.

    Args:
        lab: Which.
        silent: Say nothing of it.

    Raises:
        LabError: There is no stack, it does not know the lab, or the Dags do not get parsed.
    """
    stack = current()
    if lab.name in stack.state.labs:
        return stack
    with lock():
        stack = current()  # another command may have loaded them meanwhile
        load(stack, [lab], silent=silent)
    return stack


def load(stack: Stack, labs: Sequence[Lab], *, silent: bool = False) -> None:
    """Load the Dags of those labs that a stack has not; for who holds the lock.

    Raises:
        LabError: The stack does not know one of them, or the Dags do not get parsed.
    """
    for lab in labs:
        if lab.name in stack.state.labs:
            continue
        if lab.name not in stack.state.known:
            raise LabError("stack.not_this_lab", lab=lab.id)
        with contextlib.nullcontext() if silent else step(t("start.lab", lab=lab.id)):
            stack.load([lab])


def bring_up(
    labs: Sequence[Lab], *, known: Sequence[Lab] = (), mock: bool = False, defaults: bool = False
) -> LocalStack:
    """Start a stack from nothing, up to where an event can be sent.

    Tasks, triggers and the broker need not be awaited: an event sent now waits for them in the broker.

    Args:
        labs: Whose Dags it loads.
        known: Whose Dags it can load later.
        mock: Take the stand-in for Kafka.
        defaults: Leave Airflow's settings as they come, to compare with.
    """
    broker = "kafka-mock" if mock else "kafka"
    kafka = Kafka()
    if not mock:
        try:
            with download(t("start.jars")) as report:
                kafka.prepare(report)
        except LabError as error:
            if error.key not in {"kafka.unreachable", "kafka.no_java"}:
                raise
            broker = "kafka-mock"
            console.print(f"[yellow]![/] {escape(str(error))}\n[yellow]![/] {t('start.mock')}")
    stack = LocalStack.create(labs, known=known, broker=broker, defaults=defaults)
    if broker == "kafka" and kafka.can_learn():
        with step(t("start.quick_kafka")):
            kafka.make_quick_start(stack.state)
    with step(t("start.database") if stack.has_template else t("start.first_database")):
        stack.launch(known or labs)
        stack.prepare_database()
        # Not before: the import of Airflow has begun and takes longest, and three would share two cores.
        stack.start_part("kafka")
        stack.start_database()
    with step(t("start.airflow")):
        stack.start_airflow("execution-api", "dag-processor")
        health.warm_up(stack.state)
    with step(t("start.broker.mock") if broker == "kafka-mock" else t("start.broker.kafka")):
        stack.create_topics(labs)
    # The triggerer looks for work once a second: what it is to watch had better be there at its first look. The
    # scheduler has nothing to do until the first event, and would take a core from what makes the watchers.
    stack.await_watchers(seconds=3)
    stack.yield_to_others("dag-processor")  # the other Dags can wait until the first event is through
    stack.start_airflow("triggerer", "scheduler")
    return stack


def first_event(stack: Stack, lab: Lab) -> Message | None:
    """Send a lab's first event; None where it has none."""
    first = lab.first_event
    if first is None:
        return None
    return stack.broker.publish(stack.state, first.topic, [trace.as_text(first.value)])[0]


def watch(stack: Stack, message: Message, seen: Callable[[Journey], None] | None = None) -> Journey:
    """Wait until the run that a message caused has ended.

    Raises:
        LabError: A part of the stack keeps dying, or the run did not end within the time allowed.
    """

    def problem() -> None:
        failing = stack.failing()
        if failing:
            raise LabError("stack.part_failed", part=failing[0], details=failing[1])

    with stack.metadata() as metadata:
        return trace.follow(metadata, message, timeout=120, log=stack.trigger_log, seen=seen, problem=problem)


def wait_for_interface(stack: Stack) -> None:
    """Start Airflow's interface where it does not run yet, and wait until it answers.

    Raises:
        LabError: It did not within a minute.
    """
    stack.start_part("api-server")
    url = health.api_urls(stack.state)["api-server"]
    try:
        until(lambda: health.answers(url), seconds=60)
    except TimeoutError as error:
        failing = stack.failing()
        details = failing[1] if failing else ""
        raise LabError("stack.part_failed", part="api-server", details=details) from error


def chosen(which: str | None) -> list[Lab]:
    """Return the lab that was named, or all."""
    return [config.lab(which)] if which else list(config.labs())
