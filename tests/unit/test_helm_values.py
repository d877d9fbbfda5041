"""Our values for the official Helm chart: each key is one that the chart has, and none is a secret.

The chart comes from no package registry. So a list of the schema's paths that we rely on stands beside the values, and
is compared always; the chart itself is asked where `LAB_CHART` names its folder (`docker/README.md` says how).
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from labkit import paths
from labkit.stack.compose import images

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = paths.ROOT / "docker" / "helm"
VALUES = FOLDER / "values.yaml"
CHART = os.environ.get("LAB_CHART")
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
METRICS = "_shared/observability/metrics/metrics_template.yaml"
"""Airflow's own list of what it measures."""
STATSD = "airflow_"
"""What the chart puts before each name."""
WIDTH = 95
"""Characters of a line of code on a page; longer ones have to be pushed sideways."""


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """Our values."""
    read: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The chart's version, and the paths of its schema that we rely on."""
    read: dict[str, Any] = yaml.safe_load((FOLDER / "schema-paths.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture
def chart() -> Path:
    """The chart's folder."""
    if not CHART:
        pytest.skip("LAB_CHART names no folder with the chart")
    return Path(CHART)


def of_schema(schema: dict[str, Any], path: str) -> list[str] | None:
    """Return the types that a schema allows at a path, or None if it does not know it.

    Args:
        schema: The chart's `values.schema.json`.
        path: Keys with points between.
    """
    here = schema
    for key in path.split("."):
        found = here.get("properties", {}).get(key)
        if found is None:
            return None
        here = found
    types = here.get("type", "object")
    return [types] if isinstance(types, str) else list(types)


def leaves(values: dict[str, Any], known: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each path of the values and what stands there, as deep as the list of known paths goes."""
    for key, value in values.items():
        path = f"{above}{key}"
        deeper = any(other.startswith(f"{path}.") for other in known)
        if deeper and isinstance(value, dict):
            yield from leaves(value, known, f"{path}.")
        else:
            yield path, value


def wrong(values: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Return the paths that the chart does not know, or that have a value of another type."""
    return [
        path
        for path, value in leaves(values, known)
        if path not in known or not isinstance(value, tuple(TYPES[name] for name in known[path]))
    ]


def test_every_key_is_one_of_the_chart(values: dict[str, Any], known: dict[str, Any]) -> None:
    assert f"Helm chart, {known['chart']} " in VALUES.read_text(encoding="utf-8")
    assert wrong(values, known["paths"]) == []
    assert {path for path, _ in leaves(values, known["paths"])} == set(known["paths"]), "a path that nobody sets"


@pytest.mark.parametrize(
    ("path", "value"),
    [("triggerer.keda.minReplicas", 2), ("triggerer.keda.minReplicaCount", "2"), ("triggererer", {}), ("executor", 1)],
)
def test_a_wrong_key_and_a_wrong_type_are_found(path: str, value: object, known: dict[str, Any]) -> None:
    ours = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    *way, last = path.split(".")
    here = ours
    for key in way:
        here = here[key]
    here[last] = value
    assert wrong(ours, known["paths"]) == [path]


def test_the_release_and_the_program_of_the_health_check_are_those_of_the_image(values: dict[str, Any]) -> None:
    (tag,) = (image.tag for image in images.listed() if image.part == "airflow")
    assert values["airflowVersion"] == tag
    assert values["images"]["airflow"]["tag"].startswith(f"{tag}-")
    python, program, job = values["triggerer"]["livenessProbe"]["command"]
    assert (python, job) == ("python", "TriggererJob")
    dockerfile = (paths.ROOT / "docker" / "airflow" / "Dockerfile").read_text(encoding="utf-8")
    assert f"COPY heartbeat.py {program}" in dockerfile


def test_no_secret_is_in_the_file_and_each_name_of_one_is_explained(values: dict[str, Any]) -> None:
    text = VALUES.read_text(encoding="utf-8")
    assert not re.search(
        r"^[^#\n]*\b(pass|password|fernetKey|jwtSecret|apiSecretKey|brokerUrl)\s*:", text, re.MULTILINE
    )
    named = set(re.findall(r"SecretName: (\S+)", text)) | set(re.findall(r"secretRef:\n\s+name: (\S+)", text))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert named == set(re.findall(r"^\| `(airflow-[\w-]+)`", readme, re.MULTILINE))
    assert values["createUserJob"] == {"enabled": False}, "it would make admin with the password admin"


def test_the_triggerers_leave_room_for_one_that_ends(values: dict[str, Any]) -> None:
    keda, config = values["triggerer"]["keda"], values["config"]["triggerer"]
    assert keda["minReplicaCount"] >= 2
    assert re.search(r"triggerer\.capacity.*\) \+ 1 FROM trigger$", keda["query"])
    assert config["max_trigger_to_select_per_loop"] * 4 <= config["capacity"]


def test_alerts_ask_for_metrics_that_airflow_has(values: dict[str, Any]) -> None:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    template = yaml.safe_load((Path(spec.origin).parent / METRICS).read_text(encoding="utf-8"))
    legacy = {row["legacy_name"] for row in template["metrics"]}
    names = {STATSD + row["name"].replace(".", "_") for row in template["metrics"]}
    for mapping in values["statsd"]["extraMappings"]:
        wanted = re.sub(r"\*$", "{hostname}", mapping["match"].removeprefix("airflow."))
        assert wanted in legacy, mapping
        names.add(mapping["name"])
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(rf"\b{STATSD}\w+", rule["expr"])}
    assert len(asked) >= 5
    assert asked <= names


def test_prometheus_takes_the_alerts_and_they_go_off_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    run = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yaml"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_watcher_that_fails_after_its_first_event_is_not_counted_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    async def clean_up() -> list[int]:
        async def fail() -> None:
            raise RuntimeError

        runner = TriggerRunner()
        for number, events in enumerate((0, 1)):
            task = asyncio.ensure_future(fail())
            await asyncio.wait([task])
            runner.triggers[number] = {"task": task, "name": str(number), "events": events}  # type: ignore[typeddict-item]
        await runner.cleanup_finished_triggers()
        return [number for number, _ in runner.failed_triggers]

    assert asyncio.run(clean_up()) == [0]


def test_the_list_of_paths_is_the_charts(known: dict[str, Any], chart: Path) -> None:
    assert yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))["version"] == known["chart"]
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    assert {path: of_schema(schema, path) for path in known["paths"]} == known["paths"]


def test_the_charts_schema_takes_the_values(values: dict[str, Any], chart: Path) -> None:
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    found = jsonschema.Draft7Validator(schema).iter_errors(values)
    assert [f"{error.json_path}: {error.message}" for error in found] == []


def test_the_chart_renders_without_a_secret(chart: Path) -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed")
    run = subprocess.run(
        [helm, "template", "airflow", chart, "-n", "airflow", "-f", VALUES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    made = [document for document in yaml.safe_load_all(run.stdout) if document]
    assert "Secret" not in {document["kind"] for document in made}
    scaled = {one["metadata"]["name"]: one["spec"] for one in made if one["kind"] == "ScaledObject"}
    (asked,) = scaled["airflow-triggerer"]["triggers"]
    assert asked["metadata"]["query"] == "SELECT ceil(COUNT(*)::decimal / 100) + 1 FROM trigger"
    (triggerer,) = (
        one for one in made if one["kind"] == "Deployment" and one["metadata"]["name"] == "airflow-triggerer"
    )
    container = triggerer["spec"]["template"]["spec"]["containers"][0]
    assert asked["metadata"]["connectionFromEnv"] in {variable["name"] for variable in container["env"]}


@pytest.mark.parametrize("name", ["values.yaml", "alerts.yaml"])
def test_comments_are_as_narrow_as_the_page_that_shows_them(name: str) -> None:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.lstrip().startswith("#") and len(line) > WIDTH] == []
