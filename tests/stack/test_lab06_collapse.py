"""Lab 06, first half, on a real stack: how many runs events make, which ways round it hold, the exercise."""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest
from driver import until
from tests import pages

from labkit import collapse, config, environments, i18n
from labkit.airflow import queueing
from labkit.airflow.api import Api
from labkit.brokers import client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from driver import Checkout

    from labkit.collapse import Report

WAYS = {
    "mend_batch": ("tickets-batch", "ticket_batches"),
    "mend_spacing": ("tickets-spacing", "tickets_spaced"),
    "mend_drain": ("tickets-drain", "tickets_drained"),
    "mend_flush": ("tickets-flush", "tickets_flushed"),
}
"""Dag → its topic and its asset."""


@pytest.fixture(scope="module")
def counted(checkout: Checkout) -> Report:
    """`./lab collapse` on the stack's own Airflow."""
    if not checkout.whole:
        checkout.lab("start", "--no-site")
    told = checkout.lab("collapse").stdout
    assert "stranded" in told
    (file,) = (checkout.root / "build" / "collapse").glob("*.json")
    return collapse.load(file)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_chapters_tables_say_what_is_counted(language: str, counted: Report) -> None:
    for row, one in zip(pages.table("chapters/06-collapse", language, "ch06c-rules"), counted.outcomes, strict=True):
        assert row[1:] == [
            str(len(one.runs)), collapse.listed(one.runs), str(one.left), collapse.listed(one.then)
        ]  # fmt: skip
    rows = {row[0]: row[1:] for row in pages.table("chapters/06-collapse", language, "ch06c-next")}
    for one in counted.outcomes:
        assert rows[one.case][:2] == [str(len(one.runs)), str(one.left)]


def test_what_was_left_behind_comes_with_the_next_event(counted: Report) -> None:
    assert sum(one.left for one in counted.outcomes) > 0
    assert sum(one.still for one in counted.outcomes) == 0


@pytest.fixture(scope="module")
def watching(checkout: Checkout, counted: Report) -> Iterator[Checkout]:
    """The stack with the four ways un-paused and watched."""
    state = checkout.stack.state
    with checkout.stack.metadata() as metadata, Api(state) as api:
        for dag in WAYS:
            api.set_paused(dag, paused=False)
        api.reparse("mend_batch")
        assets = {asset for _, asset in WAYS.values()}
        until(lambda: assets <= {one.asset for one in metadata.watchers() if one.triggerer}, "the watchers", 60)
        yield checkout
        for dag in WAYS:
            api.set_paused(dag, paused=True)
        api.reparse("mend_batch")
        until(lambda: not assets & {one.asset for one in metadata.watchers()}, "the watchers to go", 60)


def order(checkout: Checkout, count: int, numbers: Iterator[int]) -> dict[str, set[int]]:
    """Send tickets to all four topics, as quickly as it goes; returns their numbers."""
    sent = {dag: list(itertools.islice(numbers, count)) for dag in WAYS}
    for dag, (topic, _) in WAYS.items():
        client.publish(checkout.stack.state.bootstrap, topic, [json.dumps({"ticket": one}) for one in sent[dag]])
    return {dag: set(some) for dag, some in sent.items()}


def handled(checkout: Checkout, dag: str) -> set[int]:
    """Return the numbers that a Dag's tasks returned."""
    query = "SELECT value FROM xcom WHERE dag_id = %s AND key = 'return_value'"
    with checkout.stack.metadata() as metadata:
        return {number for row in metadata.rows(query, [dag]) for number in row["value"]}


def test_all_four_ways_handle_a_burst_and_only_drain_holds_when_the_scheduler_is_slow(watching: Checkout) -> None:
    numbers = itertools.count(int(time.time()))
    stack = watching.stack
    with stack.metadata() as metadata:

        def events(since: queueing.Mark) -> dict[str, int]:
            return {dag: queueing.count(metadata, dag, [asset], since).events for dag, (_, asset) in WAYS.items()}

        begin = queueing.mark(metadata)
        with stack.hold("scheduler"):
            burst = order(watching, 5, numbers)
            until(lambda: min(events(begin).values()) >= 1 and events(begin)["mend_flush"] >= 5, "the burst's events")
        until(lambda: all(burst[dag] <= handled(watching, dag) for dag in WAYS), "every ticket to be handled", 90)
        until(lambda: not queueing.pending(metadata, WAYS), "all runs to end")

        begin = queueing.mark(metadata)
        with stack.hold("scheduler"):
            first = order(watching, 1, numbers)
            until(lambda: min(events(begin).values()) == 1, "the first ones' events")
            second = order(watching, 1, numbers)
            wanted = {"mend_batch": 2, "mend_spacing": 2, "mend_drain": 2, "mend_flush": 3}
            until(lambda: all(events(begin)[dag] >= count for dag, count in wanted.items()), "all events")
        until(lambda: all(first[dag] <= handled(watching, dag) for dag in WAYS), "the first tickets")
        until(lambda: not queueing.pending(metadata, WAYS), "all runs to end")
        assert {dag for dag in WAYS if second[dag] <= handled(watching, dag)} == {"mend_drain"}

        last = order(watching, 1, numbers)
        until(lambda: all(second[dag] | last[dag] <= handled(watching, dag) for dag in WAYS), "what was left behind")


def test_the_exercise_strands_and_the_solution_does_not(running: Checkout) -> None:
    def switch(*, paused: bool) -> None:
        with running.stack.metadata() as metadata, Api(running.stack.state) as api:
            until(lambda: "print_labels" in metadata.dags(), "the Dag to be parsed", 90)
            api.set_paused("print_labels", paused=paused)
            api.reparse("print_labels")
            watched = lambda: "labels" in {one.asset for one in metadata.watchers() if one.triggerer}  # noqa: E731
            until(lambda: watched() != paused, "the watcher to come or go", 60)

    assert "paused" in running.lab("verify", "06", "exercise-mend", code=1).stdout
    switch(paused=False)
    try:
        said = running.lab("verify", "06", "exercise-mend", code=1).stdout
        assert re.search(r"4 were not printed", said)
        running.lab("reset", "06", "--solution", "--yes")
        running.lab("restart", "triggerer")
        switch(paused=False)
        until(lambda: running.lab("verify", "06", "exercise-mend", code=None).returncode == 0, "verify to pass", 120, 1)
    finally:
        running.lab("reset", "06", "--yes")
        switch(paused=True)
        # A triggerer that knows the solution's class would hide what is wrong with the exercise.
        running.lab("restart", "triggerer")


@pytest.fixture
def with_next_release(checkout: Checkout, root: Path) -> Iterator[str]:
    """The checkout with an environment that has Airflow's next release; yields which that is."""
    ((release, name),) = environments.airflow_releases().items()
    environments.make(name)
    made = environments.folder(name)
    place = checkout.root / ".lab" / "environments" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(made)
    yield release
    place.unlink()


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="the lock's wheels of the pre-release are tried on Linux only")
def test_the_next_release_makes_the_runs_that_were_recorded(with_next_release: str, checkout: Checkout) -> None:
    checkout.lab("collapse", "--airflow", with_next_release, timeout=600)
    again = collapse.load(checkout.root / "build" / "collapse" / f"{with_next_release}.json")
    _, wanted = config.find_collapse()
    assert again == collapse.load(wanted.recorded / f"{with_next_release}.json")
    assert not (checkout.root / ".lab" / "side-state.json").exists()
