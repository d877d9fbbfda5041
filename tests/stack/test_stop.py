"""`./lab stop`: nothing stays, and nobody else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from driver import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driver import Checkout


def test_stop_leaves_nothing_behind_not_even_of_a_notebook_server_with_a_kernel(running: Checkout) -> None:
    running.lab("open", "notebook")
    url = f"http://127.0.0.1:{running.stack.state.ports['notebook']}"
    token = {"Authorization": f"token {running.stack.notebook_token()}"}
    kernel = httpx.post(f"{url}/api/kernels", headers=token, json={"name": "python3"}, trust_env=False, timeout=60)
    assert kernel.status_code == 201
    until(lambda: any("ipykernel" in " ".join(one.cmdline()) for one in running.processes()), "the kernel's process")
    links = [running.stack.state.ui_url, running.stack.state.site_url, url]
    running.stop()
    for link in links:
        with pytest.raises(httpx.ConnectError):
            httpx.get(link, trust_env=False)


def test_stopping_twice_is_harmless(stopped: Checkout) -> None:
    assert "Nothing is running" in stopped.lab("stop").stdout
    assert "./lab start" in stopped.lab("status", code=1).stderr


def test_a_stopped_part_of_the_stack_does_not_keep_stop_from_its_work(running: Checkout) -> None:
    for name in ("triggerer", "kafka", "postgres"):
        pid = running.part(name).pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
    running.stop()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def test_a_stale_record_whose_pids_are_a_strangers_now_harms_nobody(
    stopped: Checkout, stranger: subprocess.Popen[bytes]
) -> None:
    run = stopped.tmp / f"lab-{os.getuid()}-deadbeef"
    (run / "postgres").mkdir(parents=True)
    for name in ("supervisord.pid", "postgres/postmaster.pid", "scheduler.pid", "triggerer.pid"):
        (run / name).write_text(f"{stranger.pid}\n", encoding="ascii")
    record = {"id": "deadbeef", "run": str(run), "ready": True, "ports": {"site": 1, "api-server": 2, "kafka": 3}}
    stopped.state_file.parent.mkdir(exist_ok=True)
    stopped.state_file.write_text(json.dumps(record), encoding="utf-8")
    assert "not whole" in stopped.lab("status", code=1).stderr
    stopped.stop()
    assert stranger.poll() is None
    assert not run.exists()


def test_a_record_of_a_folder_that_is_gone_is_cleared_away(stopped: Checkout) -> None:
    record = {"id": "deadbeef", "run": str(stopped.tmp / f"lab-{os.getuid()}-deadbeef"), "ports": {}}
    stopped.state_file.write_text(json.dumps(record), encoding="utf-8")
    stopped.stop()


@pytest.mark.parametrize("command", ["start", "stop", "status"])
def test_a_record_that_cannot_be_read_is_told_with_its_remedy(command: str, stopped: Checkout) -> None:
    stopped.state_file.write_text("{", encoding="utf-8")
    try:
        told = stopped.lab(command, code=1)
        assert "state.json" in told.stderr
        assert "delete it" in told.stderr
    finally:
        stopped.state_file.unlink()
