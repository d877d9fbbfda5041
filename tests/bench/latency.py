"""From a message to its run, with our settings and with Airflow's own."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from typing import TYPE_CHECKING

from labkit import config, trace
from tests.bench.figures import Figure, console, spread
from tests.bench.stacks import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.stack.local import LocalStack

EVENTS = 20


def latencies(stack: LocalStack) -> tuple[list[float], list[float]]:
    """Return the seconds from message to Dag run and to the end of the run, of spaced events."""
    first = config.main(config.labs()).first_event
    assert first is not None
    to_run, to_end = [], []
    ticked = dt.datetime.now(dt.UTC)
    for number in range(EVENTS):
        # The trigger starts anew within 2 s of each event. What is left to chance is where in the triggerer's loop of
        # 1 s an event falls: they are spread evenly over it, in an order of no meaning, from when it last came round.
        time.sleep(1)
        due = ticked + dt.timedelta(seconds=4 + (number * 7 % EVENTS + 0.5) / EVENTS)
        time.sleep(max(0, (due - dt.datetime.now(dt.UTC)).total_seconds()))
        value = trace.as_text({**first.value, "order_id": 100 + number})
        message = stack.broker.publish(stack.state, first.topic, [value])[0]
        with stack.metadata() as database:
            journey = trace.follow(database, message, timeout=60, log=lambda: stack.log("triggerer"))
        ticked = next(stage.at for stage in journey.stages if stage.name == "asset_event")
        to_run.append(journey.seconds("dag_run") or 0)
        to_end.append(journey.seconds("run_end") or 0)
    return to_run, to_end


def latency() -> Iterator[Figure]:
    """Compare our settings with Airflow's defaults, event by event, with the main lab solved: two watchers.

    With one watcher the defaults lose less: Kafka's triggers take turns in one thread, so each waits for the
    others' polls, a second each by default. That figure is printed too.
    """
    labs = [config.main(config.labs())]
    with running(labs, solved=True) as stack:
        to_run, to_end = latencies(stack)
    with running(labs, solved=True, defaults=True) as stack:
        default_to_run, _ = latencies(stack)
    with running(labs, defaults=True) as stack:
        alone, _ = latencies(stack)
    console.print(f"  message → Dag run: ours {spread(to_run)}; Airflow's defaults {spread(default_to_run)}")
    console.print(f"  message → run over: ours {spread(to_end)}")
    console.print(f"  message → Dag run, one watcher, Airflow's defaults {spread(alone)}")
    ours = statistics.median(to_run)
    yield Figure("message → Dag run, median", ours, "s", 0.8)
    yield Figure("Airflow's defaults / ours", statistics.median(default_to_run) / ours, "", 1.8, at_most=False)
    yield Figure("message → run over, median", statistics.median(to_end), "s", 3)
