"""`lab open`: opens the site, Airflow's interface or the notebook in the browser."""

from __future__ import annotations

import webbrowser

import click

from labkit import config, notebook_files, paths, session, site
from labkit.airflow import health
from labkit.cli import Command
from labkit.errors import LabError
from labkit.i18n import language, t
from labkit.ui import console, step
from labkit.waiting import until


@click.command("open", cls=Command)
@click.argument("what", type=click.Choice(["site", "ui", "notebook"]), default="site")
@click.argument("lab", required=False)
def command(what: str, lab: str | None) -> None:
    """Open a page."""
    named = config.lab(lab) if lab else None
    stack = session.current()
    state = stack.state
    if what == "site":
        if not site.is_built():
            raise LabError("site.not_built")
        page = f"labs/{named.page}" if named else "index"
        url = f"{state.site_url}/{language()}/{page}.html"
    elif what == "ui":
        url = state.ui_url
    else:
        notebook = named or config.main([config.lab(name) for name in state.labs])
        notebook_files.write()
        with step(t("open.notebook")):
            stack.start_part("notebook")
            port = state.ports["notebook"]
            try:
                until(lambda: health.answers(f"http://127.0.0.1:{port}/login"), seconds=60, pause=0.2)
            except TimeoutError as error:
                failing = stack.failing()
                details = failing[1] if failing else ""
                raise LabError("stack.part_failed", part="notebook", details=details) from error
        token = stack.notebook_token()
        url = f"http://127.0.0.1:{port}/lab/tree/{language()}/{notebook.page}.ipynb?token={token}"
    console.print(url, soft_wrap=True)
    if not paths.headless():
        webbrowser.open(url)
