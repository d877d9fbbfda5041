"""What is left when it is over: no container, network or volume, no process, no file that is not the learner's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.stack.compose import engine, project

if TYPE_CHECKING:
    from driver import Checkout


def left(name: str) -> list[str]:
    """Return what the engine still has of a project."""
    client, label = engine.connect(), {"label": f"com.docker.compose.project={name}"}
    found = [*client.containers.list(all=True, filters=label), *client.networks.list(filters=label)]
    return [str(one) for one in [*found, *client.volumes.list(filters=label)]]


def test_a_start_without_a_word_leaves_the_running_containers_alone(running: Checkout) -> None:
    before = running.running_pids()
    assert "running already" in running.lab("start", "--no-site").stdout
    assert running.running_pids() == before


def test_stop_leaves_nothing(running: Checkout) -> None:
    state = running.stack.state
    name, owner = project.name(state), running.root.stat().st_uid
    assert left(name)
    running.stop()
    assert left(name) == []
    strangers = [path for path in running.root.rglob("*") if path.lstat().st_uid != owner]
    assert strangers == []


def test_stop_has_nothing_more_to_do(checkout: Checkout) -> None:
    assert checkout.lab("stop").stdout.strip() == "Nothing is running."
