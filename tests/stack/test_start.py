"""`./lab start`: from nothing to a run that an event caused."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from typing import TYPE_CHECKING

import httpx
import psutil
from driver import end_group, until

if TYPE_CHECKING:
    import subprocess

    from driver import Checkout

LINK = re.compile(r"http://127\.0\.0\.1:\d+\S*")


def test_a_start_from_nothing_ends_well(first_start: subprocess.CompletedProcess[str]) -> None:
    assert first_start.returncode == 0, first_start.stdout + first_start.stderr
    assert first_start.stderr == ""
    assert "mock" not in first_start.stdout, "the tests need Maven Central once, for Apache Kafka"


def test_a_start_shows_the_way_of_an_event_to_a_succeeded_run(
    first_start: subprocess.CompletedProcess[str], running: Checkout
) -> None:
    stages = re.findall(r"^● (.+?)  +\S", first_start.stdout, re.MULTILINE)
    assert stages == [
        "the broker has the message",
        "the trigger fired",
        "an asset event",
        "a Dag run",
        "its task is queued",
        "the task starts",
        "the task ends",
        "the run is over",
    ]
    milliseconds = [int(number.replace(",", "")) for number in re.findall(r"\+(-?[\d,]+) ms", first_start.stdout)]
    assert milliseconds == sorted(milliseconds)
    assert running.handled("handle_order", 1)


def test_the_links_that_a_start_prints_answer(first_start: subprocess.CompletedProcess[str], running: Checkout) -> None:
    links = LINK.findall(first_start.stdout)
    assert links
    for link in links:
        assert httpx.get(link, follow_redirects=True, trust_env=False, timeout=30).status_code == 200, link


def test_the_interface_opens_logged_in(running: Checkout) -> None:
    page = httpx.get(f"{running.stack.state.ui_url}/auth/token", trust_env=False, timeout=30)
    assert page.json()["access_token"]


def test_everything_listens_on_the_loopback_address_only(running: Checkout) -> None:
    places = set()
    for process in running.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # a Dag was parsed, a task is over
            connections = process.net_connections("inet")
            places |= {connection.laddr.ip for connection in connections if connection.status == "LISTEN"}
    assert places
    assert places <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_secrets_are_on_no_disk_and_the_stacks_folder_is_its_owners(running: Checkout) -> None:
    assert running.stack.state.folder.stat().st_mode & 0o066 == 0
    assert running.state_file.stat().st_mode & 0o077 == 0
    environment = next(
        process.environ() for process in running.processes() if "AIRFLOW__CORE__FERNET_KEY" in process.environ()
    )
    secrets = [environment[f"AIRFLOW__{name}"].encode() for name in ("CORE__FERNET_KEY", "API__SECRET_KEY")]
    for folder in (running.stack.state.folder / "airflow", running.root / ".lab"):
        for file in folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert not any(secret in content for secret in secrets), file
    for file in running.stack.state.folder.glob("*.*"):
        if file.is_file() and not file.is_socket():
            assert not any(secret in file.read_bytes() for secret in secrets), file


def test_a_start_leaves_the_home_folder_alone(running: Checkout) -> None:
    assert [str(file.relative_to(running.home)) for file in running.home.rglob("*") if file.is_file()] == []


def test_starting_again_is_harmless_and_quick(running: Checkout) -> None:
    before = running.running_pids()
    began = time.monotonic()
    told = running.lab("start", "--no-site")
    assert time.monotonic() - began < 15
    assert "running already" in told.stdout
    assert LINK.search(told.stdout)
    assert running.running_pids() == before


def test_starting_a_lab_that_runs_already_is_harmless(running: Checkout) -> None:
    before = running.running_pids()
    running.lab("start", "03", "--no-site", "--lang", "zh-TW")
    assert running.running_pids() == before


def test_a_start_has_one_lab_and_others_are_loaded_when_they_are_used(stopped: Checkout) -> None:
    stopped.lab("start", "--no-site")
    stopped.send("orders", 901)
    until(lambda: stopped.handled("handle_order", 901), "the order to be handled")
    assert stopped.state is not None
    assert stopped.state["labs"] == ["03-asset-watchers"]
    others = {name: pid for name, pid in stopped.running_pids().items() if name != "dag-processor"}

    told = stopped.lab("publish", "parcels", '{"parcel": 1}')
    assert "The Dags of lab 01" in told.stdout
    assert "offset 0" in told.stdout
    told = stopped.lab("start", "05", "--no-site", "--lang", "zh-TW")
    assert "實驗 05 的 Dag" in told.stdout
    assert "The Dags of" not in stopped.lab("verify", "05", code=1).stdout  # they are there

    assert [name[:2] for name in stopped.state["labs"]] == ["01", "03", "05"]
    with stopped.stack.metadata() as metadata:
        bundles = {row["bundle_name"] for row in metadata.dags().values()}
    assert bundles >= {f"{name}{end}" for name in stopped.state["labs"] for end in ("", "-work")}
    assert not [name for name in bundles if name[:2] not in {"01", "03", "05"}]
    # Nothing else was touched: no other process, no event, and what was loaded first goes on.
    assert {name: pid for name, pid in stopped.running_pids().items() if name != "dag-processor"} == others
    assert stopped.part("dag-processor").restarts == 0
    stopped.send("orders", 902)
    until(lambda: stopped.handled("handle_order", 901, 902), "both orders to be handled")


def test_who_is_killed_while_a_lab_is_loaded_loads_it_again(running: Checkout) -> None:
    begun = running.begin("verify", "06")
    configuration = running.stack.state.folder / "supervisord.conf"
    until(lambda: "06-delivery" in configuration.read_text(encoding="utf-8"), "the dag-processor to be told")
    end_group(begun, signal.SIGKILL)
    assert "✗" in running.lab("verify", "06", code=1).stdout
    assert running.state is not None
    assert "06-delivery-and-collapse" in running.state["labs"]


def test_of_two_starts_at_once_one_waits_and_there_is_one_stack(stopped: Checkout) -> None:
    other = stopped.begin("start", "--no-site")
    time.sleep(1)
    told = stopped.lab("start", "--no-site")
    assert other.wait(timeout=120) == 0
    assert "waiting for it" in told.stdout
    assert "running already" in told.stdout
    keepers = [process for process in stopped.processes() if "supervisor.supervisord" in " ".join(process.cmdline())]
    assert len(keepers) == 1
    assert len(list(stopped.tmp.iterdir())) == 1
