"""`lab open`: opens the site, Airflow's interface or the notebook in the browser."""

from __future__ import annotations

import webbrowser

import click
import tenacity

from labkit import config, notebook_files, paths, session, site
from labkit.airflow import health
from labkit.cli import Command
from labkit.errors import LabError
from labkit.i18n import language, t
from labkit.ui import console, step


@click.command("open", cls=Command)
@click.argument("what", type=click.Choice(["site", "ui", "notebook"]), default="site")
def command(what: str) -> None:
    """Open a page."""
    stack = session.current()
    state = stack.state
    if what == "site":
        if not site.is_built():
            raise LabError("site.not_built")
        url = f"{state.site_url}/{language()}/index.html"
    elif what == "ui":
        url = state.ui_url
    else:
        lab = config.lab(state.labs[0])
        notebook_files.write()
        with step(t("open.notebook")):
            stack.start_part("notebook")
            port = state.ports["notebook"]
            wait = tenacity.Retrying(
                stop=tenacity.stop_after_delay(60),
                wait=tenacity.wait_fixed(0.2),
                retry=tenacity.retry_if_result(lambda answer: not answer),
            )
            try:
                wait(health.answers, f"http://127.0.0.1:{port}/login")
            except tenacity.RetryError as error:
                raise LabError("stack.part_failed", part="notebook") from error
        token = stack.notebook_token()
        url = f"http://127.0.0.1:{port}/lab/tree/{language()}/{lab.name}.ipynb?token={token}"
    console.print(url, soft_wrap=True)
    if not paths.headless():
        webbrowser.open(url)
