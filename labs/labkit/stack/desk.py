"""What a learner has on the table, the course's pages and JupyterLab: on both lanes processes of this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from labkit import pages, paths
from labkit.errors import LabError
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.stack.state import State

SITE = "site"
NOTEBOOK = "notebook"


def programs(state: State) -> list[Program]:
    """Return both processes."""
    run = state.folder
    site = paths.BUILD / "site"
    site.mkdir(parents=True, exist_ok=True)  # the server wants a folder to serve
    _greet_with_no_question(run / "jupyter")
    server = [sys.executable, "-I", "-S", str(pages.__file__), str(state.ports[SITE]), str(site)]
    notebook = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={state.ports[NOTEBOOK]}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={paths.BUILD / 'notebooks'}", "--LabApp.news_url=None",
    ]  # fmt: skip
    return [Program(SITE, server, run), Program(NOTEBOOK, notebook, run, keep=False)]


def notebook_token(state: State, log: str) -> str:
    """Return what opens JupyterLab; its server writes it into the stack's folder.

    Args:
        state: The stack.
        log: The end of its log, for the error.

    Raises:
        LabError: It has not come up.
    """
    for file in (state.folder / "jupyter").glob("jpserver-*.json"):
        return str(json.loads(file.read_text(encoding="utf-8"))["token"])
    raise LabError("stack.part_failed", part=NOTEBOOK, details=log)


def _greet_with_no_question(folder: Path) -> None:
    """Keep JupyterLab from asking, over the notebook's first lines, whether it may fetch news from the internet.

    Args:
        folder: Its configuration. `_get_overrides` in `jupyterlab_server/settings_utils.py` reads the file.
    """
    file = folder / "labconfig" / "default_setting_overrides.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    file.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": quiet}), encoding="utf-8")
