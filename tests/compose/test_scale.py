"""Scale-out: tasks on workers, two schedulers, two triggerers; what happens when one of them is lost, or told to go."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from driver import until
from test_stop import left

from labkit.airflow import health
from labkit.airflow.api import Api
from labkit.stack.compose import engine, project
from labkit.stack.compose.stack import ComposeStack

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from driver import Checkout

PASS = 6.0
"""Seconds for what comes after the threshold: the other triggerer looks once a second, on a machine that is busy."""
SLOW = """
import time

from airflow.sdk import DAG, task

with DAG("slow_on_a_worker", schedule=None):

    @task
    def wait():
        print("began on this worker")
        time.sleep(20)
        return "came to its end"

    wait()
"""


@pytest.fixture(scope="module")
def start(checkout: Checkout, images: str) -> Iterator[subprocess.CompletedProcess[str]]:
    """`./lab start 03 --docker --scale …` as it ended."""
    checkout.lab("stop")
    work = checkout.root / "work" / "03-asset-watchers"
    work.mkdir(parents=True, exist_ok=True)
    (work / "slow_on_a_worker.py").write_text(SLOW, encoding="utf-8")
    yield checkout.lab(
        *("start", "03", "--docker", "--no-site", "--scale", "triggerer=2,worker=2"), code=None, timeout=900
    )
    checkout.lab("stop", code=None)


@pytest.fixture
def scaled(checkout: Checkout, start: subprocess.CompletedProcess[str]) -> Checkout:
    """The checkout with a whole stack of that kind."""
    assert start.returncode == 0, start.stdout + start.stderr
    return checkout


def _stack(checkout: Checkout) -> ComposeStack:
    found = checkout.stack
    assert isinstance(found, ComposeStack)
    return found


def _host(checkout: Checkout, part: str) -> str:
    return str(_stack(checkout)._container(part).attrs["Config"]["Hostname"])


def _tasks(checkout: Checkout, dag: str) -> list[dict[str, Any]]:
    """Return the newest task of a Dag and those before it."""
    with Api(checkout.stack.state, 30) as api:
        path = f"dags/{dag}/dagRuns/~/taskInstances?order_by=-start_date"
        found: list[dict[str, Any]] = api.call("GET", path)["task_instances"]
    return found


def _log(checkout: Checkout, one: dict[str, Any]) -> str:
    """Return what people see of a task's log in Airflow's interface."""
    path = f"dags/{one['dag_id']}/dagRuns/{one['dag_run_id']}/taskInstances/{one['task_id']}/logs/{one['try_number']}"
    with Api(checkout.stack.state, 30) as api:
        return json.dumps(api.call("GET", path))


def _owners(checkout: Checkout) -> set[int | None]:
    with checkout.stack.metadata() as metadata:
        return {one.triggerer for one in metadata.watchers()}


def _runs_for(checkout: Checkout, order: int) -> int:
    with checkout.stack.metadata() as metadata:
        return sum(json.loads(text).get("order_id") == order for text in metadata.succeeded_payloads("handle_order"))


def test_a_start_brings_an_event_through_a_worker(scaled: Checkout, start: subprocess.CompletedProcess[str]) -> None:
    assert "the run is over" in start.stdout
    (first, *_) = _tasks(scaled, "handle_order")
    assert first["state"] == "success"
    workers = {_host(scaled, name) for name in ("worker", "worker-2")}
    assert first["hostname"].split(".")[0] in workers


@pytest.mark.parametrize(("language", "well"), [("en", "working"), ("zh-TW", "正常")])
def test_status_shows_the_replicas(scaled: Checkout, language: str, well: str) -> None:
    until(lambda: all(part.healthy for part in scaled.stack.parts()), "every part to be well", 90)
    told = scaled.lab("status", "--lang", language).stdout
    rows = dict(re.findall(rf"^(\S+) +● {well} +(\d+) ", told, re.MULTILINE))
    replicas = {f"{part}{number}" for part in ("worker", "scheduler", "triggerer") for number in ("", "-2")}
    assert replicas | {"celery-broker", "api-server", "dag-processor", "postgres", "kafka"} <= rows.keys()
    assert len({*rows.values()}) == len(rows), "a process of its own each"


def test_health_checks_do_not_flap(scaled: Checkout) -> None:
    time.sleep(70)  # two checks of a worker, four of the others
    for name, one in engine.containers(project.name(scaled.stack.state)).items():
        one.reload()
        told = one.attrs["State"].get("Health")
        assert told is None or (told["Status"], told["FailingStreak"]) == ("healthy", 0), (name, told)
        assert one.attrs["RestartCount"] == 0, name


def test_each_replica_has_a_log_and_an_unknown_one_is_refused(scaled: Checkout) -> None:
    for name in ("worker", "worker-2"):
        assert "celery@" in scaled.lab("logs", name).stdout
    assert scaled.lab("logs", "triggerer-2", "-n", "3").stdout.count("\n") == 3
    assert "worker-2" in scaled.lab("logs", "worker-3", code=2).stderr


def test_the_workers_share_the_tasks(scaled: Checkout) -> None:
    before = {one["id"] for one in _tasks(scaled, "handle_order")}
    for number in range(30, 38):
        scaled.send("orders", number)
    memory: dict[str, int] = {}

    def all_handled() -> bool:
        for part in scaled.stack.parts():
            memory[part.name] = max(part.memory, memory.get(part.name, 0))
        return scaled.handled("handle_order", *range(30, 38))

    until(all_handled, "all runs", 180)
    print("\nmemory at most:", {name: f"{count / 1e6:.0f} MB" for name, count in memory.items()})
    for name in ("worker", "worker-2"):
        assert memory[name] < engine.NEEDS_MORE["worker"], "what is asked of the engine is enough"
    hosts = {one["hostname"] for one in _tasks(scaled, "handle_order") if one["id"] not in before}
    assert hosts <= {_host(scaled, name) for name in ("worker", "worker-2")}


def test_a_lost_triggerer_is_taken_over_and_each_message_becomes_one_run(scaled: Checkout) -> None:
    stack = _stack(scaled)
    jobs = stack.triggerers()
    assert jobs.keys() == {"triggerer", "triggerer-2"}
    (owner,) = _owners(scaled) & {*jobs.values()}
    (lost,) = [part for part, job in jobs.items() if job == owner]
    (other,) = {*jobs.values()} - {owner}
    stack.kill(lost, for_good=True)
    with stack.metadata() as metadata:
        heartbeat = metadata.jobs()["TriggererJob", _host(scaled, lost)].age.total_seconds()
    began = time.monotonic()
    scaled.send("orders", 71)  # while nobody listens
    until(lambda: _owners(scaled) == {other}, "the other one to take over", 120, pause=0.1)
    took = time.monotonic() - began
    print(f"\ntaken over after {took:.1f} s; its last heartbeat was {heartbeat:.1f} s old")
    threshold = health.STALE_AFTER.total_seconds()
    assert threshold - 0.5 <= heartbeat + took <= threshold + PASS
    scaled.send("orders", 72)
    until(lambda: scaled.handled("handle_order", 71, 72), "both runs", 90)
    time.sleep(5)  # a second run, were there one, would be here by now
    assert (_runs_for(scaled, 71), _runs_for(scaled, 72)) == (1, 1)
    assert re.search(rf"^{lost} +● (?!working)", scaled.lab("status", code=1).stdout, re.MULTILINE)
    scaled.lab("start", "03", "--docker", "--no-site")  # brings back what is missing, and leaves the rest alone
    until(lambda: stack.triggerers().keys() == jobs.keys(), "both triggerers", 90)
    until(lambda: all(part.healthy for part in scaled.stack.parts()), "every part to be well", 90)


def test_a_lost_scheduler_delays_nothing(scaled: Checkout) -> None:
    stack = _stack(scaled)
    stack.kill("scheduler", for_good=True)
    began = time.monotonic()
    scaled.send("orders", 81)
    until(lambda: scaled.handled("handle_order", 81), "the run", 60, pause=0.1)
    print(f"\nhandled after {time.monotonic() - began:.1f} s")
    stack.start_part("scheduler")
    until(lambda: scaled.part("scheduler").healthy, "it to be back", 90)
    assert _runs_for(scaled, 81) == 1


def test_the_log_of_a_task_is_with_its_worker_and_a_worker_told_to_stop_ends_its_task(scaled: Checkout) -> None:
    stack = _stack(scaled)
    with scaled.stack.metadata() as metadata:
        until(lambda: "slow_on_a_worker" in metadata.dags(), "the Dag", 90)
    with Api(scaled.stack.state, 30) as api:
        api.call("POST", "dags/slow_on_a_worker/dagRuns", json={"logical_date": None})

    def running() -> dict[str, Any] | None:
        found = _tasks(scaled, "slow_on_a_worker")
        return found[0] if found and found[0]["state"] == "running" else None

    one = until(running, "the task to run", 90)
    (worker,) = [name for name in ("worker", "worker-2") if _host(scaled, name) == one["hostname"].split(".")[0]]
    until(lambda: "began on this worker" in _log(scaled, one), "the log of a task that runs", 30)
    began = time.monotonic()
    stack.stop_part(worker)
    print(f"\nthe worker took {time.monotonic() - began:.1f} s to stop")
    container = stack._container(worker)
    assert container.attrs["State"]["ExitCode"] == 0, "not killed"
    ended = until(
        lambda: [task for task in _tasks(scaled, "slow_on_a_worker") if task["state"] != "running"], "its end"
    )
    assert [(task["state"], task["try_number"]) for task in ended] == [("success", 1)]
    # What else there is to do, the other one does.
    scaled.send("orders", 91)
    until(lambda: scaled.handled("handle_order", 91), "the run", 60)
    stack.start_part(worker)
    until(lambda: scaled.part(worker).healthy, "it to be back", 120)
    # It has its logs still: those of a container stay with it.
    until(lambda: "began on this worker" in _log(scaled, one), "the log", 30)


def test_fewer_are_had_by_the_same_command(scaled: Checkout) -> None:
    told = scaled.lab("start", "03", "--docker", "--no-site", "--scale", "worker=1", timeout=300).stdout
    assert "worker=1" in told
    assert {"worker-2"} & scaled.running_pids().keys() == set()
    assert {"worker", "triggerer-2", "scheduler-2"} <= scaled.running_pids().keys()
    scaled.send("orders", 95)
    until(lambda: scaled.handled("handle_order", 95), "the run", 90)


def test_stop_leaves_nothing_of_the_replicas(scaled: Checkout) -> None:
    name = project.name(scaled.stack.state)
    assert left(name)
    scaled.stop()
    assert left(name) == []
