"""A second Airflow, of another release, beside the stack: for as long as one command looks at it.

It has what makes runs of events and runs their tasks, and nothing else: PostgreSQL, one API server, the dag-processor,
the scheduler. Events come in by the REST interface, so it needs no broker and no triggerer.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import secrets
from typing import TYPE_CHECKING

from labkit.airflow import connections, health, settings
from labkit.stack import ports, postgres, supervisor
from labkit.stack import state as states
from labkit.stack.local import LocalStack, temporary_folder
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARTS = {"api-server": ("api-server",), "dag-processor": ("dag-processor",), "scheduler": ("scheduler",)}
"""Airflow's processes and their commands, in the order in which they start."""


class SideStack(LocalStack):
    """A stack of local processes whose Airflow is that of another environment.

    Args:
        state: Its identity and whereabouts.
    """

    @classmethod
    def sweep(cls) -> None:
        """Stop what a command left that was killed."""
        state = states.load(states.SIDE)
        if state is not None:
            cls(state).stop()

    @classmethod
    def beside(cls, python: Path, version: str) -> SideStack:
        """Write down a new stack and make its folder; starts nothing.

        Args:
            python: The interpreter of an environment that has Airflow.
            version: Of that Airflow.
        """
        identity = secrets.token_hex(4)
        run = temporary_folder() / f"lab-{os.getuid()}-{identity}"
        port = ports.any_free()
        state = states.State(
            id=identity,
            run=str(run),
            # One server speaks to people and to tasks.
            ports={"api-server": port, "execution-api": port},
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            versions={"airflow": version},
            python=str(python),
            record=states.SIDE,
        )
        states.save(state)
        run.mkdir(mode=0o700)
        for name in ("log", "tmp", "airflow"):
            (run / name).mkdir(mode=0o700)
        return cls(state)

    def start(self, dags: Sequence[Path]) -> None:
        """Start everything, and wait until the API server answers.

        Args:
            dags: Folders with Dags, each a bundle.

        Raises:
            LabError: Something did not come up; the end of its log is in the details.
        """
        state, run = self.state, self.state.folder
        connections.write(state, [], {})
        bundles = [
            {
                "name": folder.name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(folder)},
            }
            for folder in dags
        ]
        environment = {
            **settings.environment(state, []),
            **settings.secrets_for_one_stack(),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        }
        postgres.create(run, empty=True)
        self.migrate(environment)
        launcher = [state.python, "-m", "labkit.airflow.launch"]
        home = run / "airflow"
        programs = [postgres.program(run)]
        for name, command in PARTS.items():
            port = ["--port", str(state.ports[name])] if name in state.ports else []
            programs.append(Program(name, [*launcher, *command, *port], home))
        supervisor.write_configuration(run, programs)
        supervisor.launch(run, environment)
        self.start_database()
        for name in PARTS:
            self.start_part(name)
        # The execution API builds its versions at its first request, and all others wait for it meanwhile.
        for url in health.api_urls(state).values():
            self._wait_for(functools.partial(health.answers, url), "api-server", timeout=120)
