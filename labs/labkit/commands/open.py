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
    pages = pages_of(lab) if lab else []
    stack = session.current()
    state = stack.state
    if what == "site":
        if not site.is_built():
            raise LabError("site.not_built")
        names = [f"labs/{page}" for page in pages] or ["index"]
        urls = [f"{state.site_url}/{language()}/{name}.html" for name in names]
    elif what == "ui":
        urls = [state.ui_url]
    else:
        pages = pages or notebook_files.pages(config.main([config.lab(name) for name in state.labs]))
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
        urls = [f"http://127.0.0.1:{port}/lab/tree/{language()}/{page}.ipynb?token={token}" for page in pages]
    for url in urls:
        console.print(url, soft_wrap=True)
    if not paths.headless():
        webbrowser.open(urls[0])


def pages_of(name: str) -> list[str]:
    """Return the pages that a person means by a lab or by one of its pages, the one to open first.

    Raises:
        LabError: There is no such lab, and no such page.
    """
    for known in config.labs():
        if name != known.name and name in notebook_files.pages(known):
            return [name]
    return notebook_files.pages(config.lab(name))
