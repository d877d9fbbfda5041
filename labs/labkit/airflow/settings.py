"""Airflow's settings as environment variables, each with its reason: those of both lanes, and the local lane's."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from labkit import paths
from labkit.airflow import connections
from labkit.stack.owned import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from labkit.config import Lab
    from labkit.stack.state import State

# What makes the labs quicker than a plain Airflow, and what it costs; `./lab bench` measures both.
TUNING = {
    # The scheduler looks for work 3 times a second and not once: events become runs 0.35 s sooner on average, for
    # three times the idle statements. At 0.25 s the idle stack came to more than 15 % of a core on some days.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # A changed Dag file is noticed within seconds: learners edit and look. Listing a small folder costs nothing.
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
    # A changed Dag is stored as soon as it is parsed, and not up to 30 s later: runs and `verify` see what was edited.
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
    # Four tasks at a time are enough for the labs, and each waiting worker process costs memory.
    "AIRFLOW__CORE__PARALLELISM": "4",
    # The kernels of 2-core machines have other things to do.
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}


def secrets_for_one_stack() -> dict[str, str]:
    """Return fresh secrets. They live in the environment of the stack's processes and nowhere else."""
    return {
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def bundle_names(lab: str) -> tuple[str, str]:
    """Return the names of a lab's two Dag bundles: its own Dags, and the learner's folder."""
    return lab, f"{lab}-work"


@dataclass(frozen=True)
class Surroundings:
    """Where Airflow's processes find what they need: on this machine, or as containers see it.

    Attributes:
        database: The metadata database, as SQLAlchemy writes it.
        execution_api: Where tasks and triggers ask.
        connections: The file with Airflow's connections.
        seen: Returns where they see a file of the checkout.
    """

    database: str
    execution_api: str
    connections: PurePath
    seen: Callable[[Path], PurePath] = lambda path: path


def bundles(labs: Iterable[Lab], seen: Callable[[Path], PurePath] = lambda path: path) -> str:
    """Return the Dag bundles: each lab's own Dags and the learner's folder beside them."""
    rows = []
    # The dag-processor parses new files in reverse order (`_add_files_to_queue` puts each to the front). The Dags
    # that the first event needs come last, to be parsed first; a lab that is loaded later is known to be there when
    # its own Dags are, so they come first and are parsed last.
    for lab in sorted(labs, key=lambda lab: lab.first_event is not None):
        pairs = list(zip(bundle_names(lab.name), (lab.folder / "dags", lab.work), strict=True))
        for name, folder in reversed(pairs) if lab.first_event else pairs:
            rows.append(
                {
                    "name": name,
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(seen(folder))},
                }
            )
    return json.dumps(rows)


def modules(labs: Iterable[Lab]) -> list[Path]:
    """Return the folders from which all of Airflow's processes can import: trigger classes live there."""
    return [folder for lab in labs for folder in (lab.folder / "modules", lab.work)]


def environment(state: State, labs: Sequence[Lab]) -> dict[str, str]:
    """Return the whole environment of the local lane's processes, without the secrets.

    Args:
        state: The stack.
        labs: The labs whose Dags it can load.
    """
    place = Surroundings(
        database=f"postgresql+psycopg2://airflow@/airflow?host={state.folder}/postgres",
        execution_api=f"http://127.0.0.1:{state.ports['execution-api']}/execution/",
        connections=connections.file(state.folder),
    )
    host = {"AIRFLOW__API__HOST": "127.0.0.1"}
    return of_this_machine(state, labs) | host | of_both_lanes(state, labs, place)


def of_this_machine(state: State, labs: Sequence[Lab]) -> dict[str, str]:
    """Return the environment of a stack's processes on this machine, whatever they are.

    Args:
        state: The stack.
        labs: The labs whose code they can import.
    """
    home = state.folder / "airflow"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW", "LAB_"))}
    return kept | {
        MARK: state.id,
        "AIRFLOW_HOME": str(home),
        "PATH": f"{Path(state.python or sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        # Trigger classes must be importable in the triggerer, which knows no Dag bundles: a lab's own `modules`, and
        # those that a learner writes. The engine is for the launcher.
        "PYTHONPATH": os.pathsep.join(map(str, [paths.LABS, *modules(labs)])),
        "PYTHONUTF8": "1",
        # Java reads its own path by the locale: in a folder with Chinese characters and a locale that the machine
        # does not have, it would not even find its libraries.
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state.folder / "tmp"),
        # JupyterLab's own files go with the stack, too, and not into the learner's home.
        **{f"JUPYTER_{name}_DIR": str(state.folder / "jupyter") for name in ("RUNTIME", "CONFIG", "DATA")},
        "JUPYTERLAB_WORKSPACES_DIR": str(state.folder / "jupyter" / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(state.folder / "jupyter" / "settings"),
        "TZ": "UTC",
        # Process titles must not overwrite the environment: it holds the mark that `stop` looks for.
        "SPT_NOENV": "1",
        # A proxy has no business between processes of one machine, and on macOS asking for one after a fork crashes.
        "NO_PROXY": "*",
        "no_proxy": "*",
    }


def of_both_lanes(state: State, labs: Sequence[Lab], place: Surroundings) -> dict[str, str]:
    """Return what Airflow is told on every lane.

    Args:
        state: The stack.
        labs: The labs whose Dags it loads.
        place: Where its processes find what they need.
    """
    told = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": place.database,
        # The stack makes its database itself; each process would check it with Alembic for a third of a second.
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # A paused Dag has no watcher at all.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # The default keeps two frames of an import error, rarely the one that names the line in the Dag's file.
        "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "50",
        # Everyone who reaches the loopback address is the learner: no password prompt.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": place.execution_api,
        "AIRFLOW__API__BASE_URL": state.ui_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(labs, place.seen),
        # Read again at each use, unlike the environment: a stand-in broker moves to a new port when it restarts.
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(place.connections)}),
    }
    return told if state.defaults else told | TUNING
