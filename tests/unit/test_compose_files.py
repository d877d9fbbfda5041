"""The compose lane as files: what compose and Airflow are told, and that the lists agree with each other."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from labkit import config, i18n, paths, scale
from labkit.airflow import connections, settings
from labkit.brokers import jars
from labkit.errors import LabError
from labkit.stack import lanes
from labkit.stack.compose import files, images, offline, project
from labkit.stack.compose.project import FILE
from labkit.stack.lane import SERVED
from labkit.stack.local import AIRFLOW_PARTS
from labkit.stack.state import State

if TYPE_CHECKING:
    from pathlib import Path

ONCE = {"airflow-init", "topics"}
"""Services that do one thing and end."""
CELERY = {
    "apache-airflow-providers-celery",
    *("amqp", "billiard", "celery", "click-didyoumean", "click-plugins", "click-repl", "flower", "humanize", "kombu"),
    *("tzlocal", "vine"),
}
"""What `compose.scale.yaml` needs and the other lane has no use for: the executor, Celery, and what these bring."""


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A compose stack that never ran, with its passwords."""
    run = tmp_path / f"lab-{os.getuid()}-0badcafe"
    run.mkdir()
    ports = {part: 40000 + number for number, part in enumerate(files.INSIDE)}
    made = State(id="0badcafe", run=str(run), lane="compose", ports=ports)
    files.make_secrets(made)
    return made


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def test_each_part_is_a_service(services: dict[str, dict[str, Any]]) -> None:
    # One API server does the work of the local lane's two.
    airflow = {scale.split(name)[0] for name in AIRFLOW_PARTS} - {"execution-api"}
    assert services.keys() - ONCE == airflow | {"postgres", "kafka"} | SERVED.keys()


def test_no_service_has_a_fixed_name_or_port_and_all_stay_on_this_machine(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert "container_name" not in service, name
        assert not service.get("privileged"), name
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{LAB_PORT_\w+\}:\d+", port), name


def test_each_service_has_a_limit_and_those_that_last_tell_how_they_are(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["mem_limit"], name
        assert (name in ONCE) == ("healthcheck" not in service), name


def test_no_folder_of_the_machine_is_made_by_the_engine(services: dict[str, dict[str, Any]]) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", ()) if isinstance(mount, dict)]
    assert mounts
    assert all(mount["bind"] == {"create_host_path": False} for mount in mounts)


def test_the_compose_file_names_the_images_of_the_list(services: dict[str, dict[str, Any]]) -> None:
    for image in images.listed():
        if image.part != images.AIRFLOW:
            assert services[image.part]["image"] == f"${{LAB_IMAGE_{image.part.upper()}:-{image.short}}}"


def test_both_lanes_have_the_same_airflow_and_kafka() -> None:
    tags = {image.part: image.tag for image in images.listed()}
    assert f'"apache-airflow=={tags["airflow"]}"' in (paths.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"apache/airflow:{tags['airflow']}" in (images.FOLDER / "airflow" / "Dockerfile").read_text(encoding="utf-8")
    assert tags["kafka"] == jars.version()


@pytest.mark.parametrize("folder", ["airflow", "offline/airflow"])
def test_containers_have_the_versions_of_the_local_lane(folder: str) -> None:
    def versions(lock: Path) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))

    ours, theirs = versions(paths.LOCK_FILE), versions(images.FOLDER / folder / "requirements.lock")
    assert theirs["apache-airflow"]
    beside = theirs.keys() - ours.keys()
    assert {name: theirs[name] for name in theirs.keys() - beside}.items() <= ours.items()
    assert beside == (CELERY if folder == "airflow" else set())


def test_each_image_has_a_stand_in() -> None:
    assert {image.stand_in for image in images.listed()} | {"base"} == {
        folder.name for folder in offline.FOLDER.iterdir() if folder.is_dir()
    }


def test_a_hash_changes_with_a_byte_a_name_and_the_right_to_run(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    seen = {images.content(tmp_path), images.content(tmp_path, "more")}
    file.write_text("y")
    seen.add(images.content(tmp_path))
    file.chmod(0o755)
    seen.add(images.content(tmp_path))
    file.rename(tmp_path / "b")
    seen.add(images.content(tmp_path))
    assert len(seen) == 5
    assert images.content(tmp_path) == images.content(tmp_path)


def test_what_is_written_is_its_owners_only_and_goes_with_the_stack(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "reference", lambda image: image.short)
    labs = list(config.labs())
    files.write(state, labs, "ours:1", 1234)
    for file in state.folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
    table = files.compose_file(state).read_text(encoding="utf-8")
    assert "LAB_UID='1234'" in table
    assert "LAB_IMAGE_LAB='ours:1'" in table


def test_every_variable_of_the_compose_file_is_written(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "reference", lambda image: image.short)
    wanted = set(re.findall(r"\$\{(LAB_\w+)", FILE.read_text(encoding="utf-8")))
    assert wanted <= files.compose(state, list(config.labs()), "ours:1", 0).keys()


def test_containers_find_each_other_by_name_and_this_machine_finds_them_by_port(state: State) -> None:
    connections.write(files.inside(state), ["k"], {"s3": "aws", "web": "http", "shop": "postgres", "r": "redis"})
    text = connections.file(state.folder).read_text(encoding="utf-8")
    assert "127.0.0.1" not in text
    table = json.loads(text)
    assert table["k"]["extra"]["bootstrap.servers"] == "kafka:9092"
    assert table["s3"]["extra"]["endpoint_url"] == "http://aws:5000"
    assert (table["web"]["host"], table["web"]["port"]) == ("api-server", 8080)
    assert (table["r"]["host"], table["shop"]["host"], table["shop"]["port"]) == ("redis", "postgres", 5432)
    assert table["shop"]["password"] == state.database["password"] != table["r"]["password"]
    assert state.bootstrap == f"127.0.0.1:{state.ports['kafka']}"
    assert state.database["port"] == str(state.ports["postgres"])


def test_airflow_is_told_the_same_on_both_lanes_but_for_places(state: State, tmp_path: Path) -> None:
    labs = list(config.labs())
    local = State(id="x", run=str(tmp_path), ports={**state.ports, "execution-api": 1})
    here, there = settings.environment(local, labs), files.airflow(state, labs)
    places = {"DATABASE__SQL_ALCHEMY_CONN", "CORE__EXECUTION_API_SERVER_URL", "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"}
    places |= {"SECRETS__BACKEND_KWARGS", "API__HOST"}
    secret = set(settings.secrets_for_one_stack())

    def plain(told: dict[str, str]) -> dict[str, str]:
        left_out = {f"AIRFLOW__{name}" for name in places} | secret
        return {name: value for name, value in told.items() if name.startswith("AIRFLOW__") and name not in left_out}

    assert plain(here) == plain(there)
    assert secret <= there.keys()
    for bundle in json.loads(there["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]):
        assert PurePosixPath(bundle["kwargs"]["path"]).is_relative_to(files.CHECKOUT)


def test_a_value_with_a_quote_is_read_back_as_it_was() -> None:
    assert files._lines({"A": 'it\'s "so" $HOME'}) == "A='it\\'s \"so\" $HOME'\n"


def test_a_record_leads_to_its_lane(state: State) -> None:
    assert lanes.stack(state).__class__.__name__ == "ComposeStack"
    assert lanes.stack(State(id="x", run=state.run)).__class__.__name__ == "LocalStack"


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_stand_ins_are_made_on_debian_by_root_and_a_word_says_so(
    language: i18n.Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    i18n.use(language)
    with pytest.raises(LabError) as refused:
        offline.check()
    assert "Debian" in str(refused.value)
    assert "debootstrap" in str(refused.value)


def test_only_what_is_missing_or_made_of_something_else_is_made_and_real_images_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = {image.part: image for image in images.listed()}
    now = offline._content(rows["postgres"], offline._base_content())
    there = {"postgres": now, "airflow": "of yesterday", "aws": ""}

    def here(image: images.Image) -> images.Here | None:
        if image.part not in there:
            return None
        return images.Here(image.short, 1, "amd64", there[image.part])

    monkeypatch.setattr(images, "here", here)
    assert {image.part for image in offline.stale()} == {"airflow", "kafka", "redis"}


def test_a_pinned_image_is_started_by_its_digest_and_a_stand_in_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = dataclasses.replace(images.listed()[0], digest="sha256:abc")
    both = {pinned.short: "", f"{pinned.name}@sha256:abc": ""}
    monkeypatch.setattr(
        images, "find", lambda name: images.Here(name, 1, "amd64", both[name]) if name in both else None
    )
    assert images.reference(pinned) == f"{pinned.name}@sha256:abc"
    del both[f"{pinned.name}@sha256:abc"]
    assert images.here(pinned) is None  # of that name, but not those bytes
    both[pinned.short] = "made here"
    assert images.reference(pinned) == pinned.short


@pytest.mark.parametrize(("alone", "wait"), [(True, False), (False, True)])
def test_what_is_started_alone_leaves_alone_what_ran_once(
    *, alone: bool, wait: bool, state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said, programs = tmp_path / "said", tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(f'#!/bin/sh\nprintf "%s " "$@" >"{said}"\n', encoding="utf-8")
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    project.log_file(state).parent.mkdir()
    project.up(state, ["dag-processor"], profiles=["kafka"], alone=alone, wait=wait)
    words = said.read_text(encoding="utf-8").split()
    assert ("--no-deps" in words, "--wait" in words) == (alone, wait)
    assert words[-1] == "dag-processor"
