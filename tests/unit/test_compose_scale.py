"""Scale-out on the compose lane: the overlay as a file and as compose reads it, replicas, memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from labkit import config, scale
from labkit.stack.compose import engine, files, images, project
from labkit.stack.compose.stack import ComposeStack
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {"triggerer": 2, "scheduler": 2, "worker": 3}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A scaled compose stack that never ran, with all that is written for it."""
    monkeypatch.setattr(images, "reference", lambda image: image.short)
    run = tmp_path / f"lab-{os.getuid()}-0badcafe"
    (run / "log").mkdir(parents=True)
    ports = {part: 40000 + number for number, part in enumerate(files.INSIDE)}
    made = State(id="0badcafe", run=str(run), lane="compose", ports=ports, scale=dict(ASKED))
    files.make_secrets(made)
    files.write(made, list(config.labs()), "ours:1", 1234)
    return made


@pytest.fixture(scope="module")
def overlay() -> dict[str, dict[str, Any]]:
    """The services of the overlay."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(project.SCALE_FILE.read_text(encoding="utf-8"))["services"]
    return found


@pytest.fixture(scope="module")
def base() -> dict[str, dict[str, Any]]:
    """The services that it is laid over."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(project.FILE.read_text(encoding="utf-8"))["services"]
    return found


# The file ---------------------------------------------------------------------------------------------------------


def test_all_of_airflow_that_lasts_is_told_of_the_workers(
    overlay: dict[str, dict[str, Any]], base: dict[str, dict[str, Any]]
) -> None:
    lasting = {name for name, one in base.items() if "airflow.env" in one.get("env_file", "") and "healthcheck" in one}
    assert lasting == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert overlay.keys() == lasting | {"worker", "celery-broker"}
    told = overlay["scheduler"]["environment"]
    assert told["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    for name in (*lasting, "worker"):
        assert told.items() <= overlay[name]["environment"].items(), name


def test_what_is_new_has_a_limit_a_health_check_and_no_door_outside(overlay: dict[str, dict[str, Any]]) -> None:
    for name in ("worker", "celery-broker"):
        assert overlay[name]["mem_limit"], name
        assert overlay[name]["healthcheck"]["start_interval"], name
    for name, service in overlay.items():
        assert "container_name" not in service, name
        assert not service.get("privileged"), name
        assert not service.get("ports"), name
    (redis,) = [image.short for image in images.listed() if image.part == "redis"]
    assert overlay["celery-broker"]["image"] == f"${{LAB_IMAGE_REDIS:-{redis}}}"


def test_every_variable_of_the_overlay_is_written_and_its_password_is_one_stacks_own(state: State) -> None:
    written = _written(state)
    assert set(re.findall(r"\$\{(LAB_\w+)", project.SCALE_FILE.read_text(encoding="utf-8"))) <= written.keys()
    another = files.compose(state, list(config.labs()), "ours:1", 0)
    passwords = {name: written[name] for name in ("LAB_CELERY_PASSWORD", "LAB_POSTGRES_PASSWORD", "LAB_REDIS_PASSWORD")}
    assert len({*passwords.values(), another["LAB_CELERY_PASSWORD"]}) == 4
    assert all(len(one) >= 32 for one in passwords.values())


def test_how_many_there_are_is_written_anew_and_all_else_stays(state: State) -> None:
    before = _written(state)
    state.scale["worker"] = 5
    files.scale(state)
    assert _written(state) == {**before, "LAB_SCALE_WORKER": "5"}
    assert files.compose_file(state).stat().st_mode & 0o077 == 0


def test_the_image_has_the_executor_and_a_celery_that_it_can_work_with() -> None:
    lock = (images.FOLDER / "airflow" / "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
    assert versions["apache-airflow-providers-celery"]
    assert tuple(map(int, versions["celery"].split(".")[:2])) < (5, 7)


# As compose reads it ----------------------------------------------------------------------------------------------


@pytest.fixture
def read(state: State) -> dict[str, Any]:
    """Both files as compose puts them together; no engine is asked."""
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no compose on this machine")
    command = ["docker", "compose", "--project-name", project.name(state)]
    command += ["--file", str(project.FILE), "--file", str(project.SCALE_FILE)]
    command += ["--env-file", str(files.compose_file(state)), "--profile", "*", "config", "--format", "json"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert not outcome.stderr, "compose has something to say"
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def test_compose_puts_both_files_together(read: dict[str, Any], state: State) -> None:
    services = read["services"]
    assert {name: services[name]["scale"] for name in ASKED} == ASKED
    worker, processor = services["worker"], services["dag-processor"]
    for same in ("image", "user", "logging", "restart"):
        assert worker[same] == processor[same], same
    # All that is not the overlay's is as it was: the same settings, the same files, the same waits.
    assert worker["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert (
        {"airflow-init", "topics", "celery-broker"}
        == worker["depends_on"].keys()
        == services["scheduler"]["depends_on"].keys()
    )
    seen = {mount["target"] for mount in processor["volumes"]}
    assert {mount["target"] for mount in worker["volumes"]} == seen
    (logs,) = [mount for mount in worker["volumes"] if mount["target"] == "/opt/airflow/logs"]
    assert "source" not in logs, "a worker keeps its logs to itself"
    password = _written(state)["LAB_CELERY_PASSWORD"]
    for name in (*ASKED, "api-server", "dag-processor"):
        assert f":{password}@celery-broker" in services[name]["environment"]["AIRFLOW__CELERY__BROKER_URL"], name
        assert password not in json.dumps([services[name]["command"], services[name]["healthcheck"]["test"]]), name


def test_a_worker_has_longer_to_end_than_others(read: dict[str, Any]) -> None:
    services = read["services"]
    assert services["worker"]["stop_grace_period"] == "1m0s"
    assert services["worker"]["environment"]["DUMB_INIT_SETSID"] == "0"
    assert services["scheduler"]["stop_grace_period"] == "8s"


def test_the_overlay_is_laid_over_where_there_are_workers_only(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        said.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("subprocess.run", run)
    project.up(state, ["triggerer"], alone=True, scale={"triggerer": 2})
    state.scale = {"triggerer": 2}
    project.up(state)
    assert str(project.SCALE_FILE) in said[0]
    assert "--scale=triggerer=2" in said[0]
    assert str(project.SCALE_FILE) not in said[1]


# What they are called ---------------------------------------------------------------------------------------------


def test_the_first_of_several_has_the_name_of_the_only_one() -> None:
    assert scale.names("worker", 3) == ["worker", "worker-2", "worker-3"]
    for name in ("worker", "dag-processor", "api-server", "celery-broker"):
        assert scale.split(name) == (name, 1)
    assert scale.split("dag-processor-2") == ("dag-processor", 2)
    assert scale.split("triggerer-12") == ("triggerer", 12)


def test_replicas_are_parts(state: State) -> None:
    stack = ComposeStack(state)
    replicas = {"scheduler", "scheduler-2", "triggerer", "triggerer-2", "worker", "worker-2", "worker-3"}
    assert replicas | {"celery-broker"} <= {*stack.always_on()}
    stack.check_part("worker-3")
    with pytest.raises(Exception, match="worker-3"):
        stack.check_part("worker-4")
    state.scale = {}
    assert not {"worker", "celery-broker", "scheduler-2"} & {*stack.part_names()}
    assert "triggerer-2" in stack.part_names()
    assert "triggerer-2" not in stack.always_on()


def test_a_container_is_called_by_its_number() -> None:
    class Container:
        labels = {"com.docker.compose.service": "worker", "com.docker.compose.container-number": "2"}  # noqa: RUF012

    assert engine.part(Container()) == "worker-2"
    Container.labels["com.docker.compose.container-number"] = "1"
    assert engine.part(Container()) == "worker"


# How many ---------------------------------------------------------------------------------------------------------


def test_workers_bring_a_second_scheduler_and_a_second_triggerer() -> None:
    assert scale.complete({"worker": 3}) == {"worker": 3, "scheduler": 2, "triggerer": 2}
    assert scale.complete({"worker": 3, "scheduler": 1}) == {"worker": 3, "scheduler": 1, "triggerer": 2}
    assert scale.complete({"triggerer": 2}) == {"triggerer": 2}


def test_so_many_need_more_memory_and_who_has_too_little_is_told_how_much() -> None:
    assert engine.needed({}) == engine.needed({"triggerer": 1, "scheduler": 1}) == engine.NEEDS_MEMORY
    two, three = engine.needed({"worker": 2}), engine.needed({"worker": 3})
    assert three - two == engine.NEEDS_MORE["worker"]
    assert {*engine.NEEDS_MORE} == {*scale.MOST["compose"]}


@pytest.mark.parametrize(
    ("before", "wanted", "started"),
    [
        ({}, {"worker": 3}, [[]]),
        ({}, {"triggerer": 2}, [["triggerer"]]),
        (ASKED, {"worker": 2}, [["worker"]]),
        (ASKED, {"triggerer": 3, "scheduler": 1}, [["triggerer", "scheduler"]]),
        (ASKED, {"worker": 3}, []),
        (ASKED, ASKED, []),
    ],
)
def test_only_what_changes_comes_or_goes_but_the_first_worker_changes_all(
    before: dict[str, int],
    wanted: dict[str, int],
    started: list[list[str]],
    state: State,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del checkout  # what is saved is saved there
    said: list[list[str]] = []
    looked: list[dict[str, int]] = []
    monkeypatch.setattr(project, "up", lambda _, services=(), **__: said.append([*services]))
    monkeypatch.setattr(engine, "check", looked.append)
    monkeypatch.setattr(engine, "containers", lambda _: _running(before))
    state.scale = dict(before)
    ComposeStack(state).scale(wanted)
    assert said == started
    assert len(looked) == len(started), "memory is looked at first"
    assert wanted.items() <= state.scale.items()


@pytest.mark.parametrize(
    ("there", "wanted", "started"),
    [
        ({"triggerer": "running", "triggerer-2": "exited"}, {"triggerer": 2}, [["triggerer"]]),
        ({"triggerer": "running"}, {"triggerer": 2}, [["triggerer"]]),
        ({"triggerer": "exited", "triggerer-2": "running"}, {"triggerer": 2}, [["triggerer"]]),
        (
            {"triggerer": "running", "triggerer-2": "running", "triggerer-3": "running"},
            {"triggerer": 2},
            [["triggerer"]],
        ),
        ({"triggerer": "running", "triggerer-2": "running"}, {"triggerer": 2}, []),
        ({"triggerer": "running"}, {"worker": 3}, [["worker"]]),
    ],
)
def test_one_that_was_killed_is_missing_though_the_number_is_the_same(
    there: dict[str, str],
    wanted: dict[str, int],
    started: list[list[str]],
    state: State,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del checkout
    said: list[list[str]] = []
    monkeypatch.setattr(project, "up", lambda _, services=(), **__: said.append([*services]))
    monkeypatch.setattr(engine, "check", lambda _: None)
    monkeypatch.setattr(engine, "containers", lambda _: {name: Container(how) for name, how in there.items()})
    state.scale = dict(ASKED)
    ComposeStack(state).scale(wanted)
    assert said == started


def test_too_little_memory_changes_nothing(state: State, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del checkout

    class TooLittleError(Exception):
        """Stands for what the engine's check raises."""

    def refuse(_: object) -> None:
        raise TooLittleError

    monkeypatch.setattr(engine, "check", refuse)
    written = _written(state)
    with pytest.raises(TooLittleError):
        ComposeStack(state).scale({"worker": 6})
    assert state.scale == ASKED
    assert _written(state) == written


def test_all_of_several_are_held(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    still: list[str] = []
    seen: list[list[str]] = []

    class Container:
        def __init__(self, name: str) -> None:
            self.name = name

        def unpause(self) -> None:
            still.remove(self.name)

        def pause(self) -> None:
            still.append(self.name)

    stack = ComposeStack(state)
    monkeypatch.setattr(stack, "_container", Container)
    monkeypatch.setattr("labkit.airflow.queueing.stop_between", lambda _, pause, __: pause())
    with stack.hold("scheduler"):
        seen.append([*still])
    assert seen == [["scheduler", "scheduler-2"]]
    assert still == []


class Container:
    """What the engine tells of a container."""

    def __init__(self, status: str = "running") -> None:
        self.status = status


def _running(scaled: dict[str, int]) -> dict[str, Container]:
    return {name: Container() for part, count in scaled.items() for name in scale.names(part, count)}


def _written(state: State) -> dict[str, str]:
    lines = files.compose_file(state).read_text(encoding="utf-8").splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
