"""`lab collapse`: counts the runs that events make, on the stack's Airflow or on another release beside it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
from rich.table import Table

from labkit import collapse, config, environments, paths, session
from labkit.cli import Command
from labkit.config import in_language
from labkit.errors import usage_error
from labkit.i18n import listed, t
from labkit.ui import console, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labkit.collapse import Report
    from labkit.config import Case
    from labkit.stack import Stack

PHASES = {
    "dags": "collapse.dags",
    "burst": "collapse.burst",
    "settle": "collapse.settle",
    "more": "collapse.more",
}
"""What the engine calls the phases, and what people read."""
COLUMNS = {
    "collapse.case": "left",
    "collapse.events": "right",
    "collapse.runs": "right",
    "collapse.each": "left",
    "collapse.left": "right",
    "collapse.then": "left",
    "collapse.still": "right",
}
"""The columns' names and sides."""


@click.command("collapse", cls=Command)
@click.option("--airflow", metavar="RELEASE", default=None)
def command(airflow: str | None) -> None:
    """Count runs."""
    _, wanted = config.find_collapse()
    with session.interruptible():
        if airflow is None:
            stack = session.having(config.find_collapse()[0])
            report = _count(stack, [case for case in wanted.cases if not case.newer])
        else:
            with _beside(airflow) as stack:
                report = _count(stack, wanted.cases)
    _show(report, wanted.cases)
    folder = paths.BUILD / "collapse"
    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder / f"{report.airflow}.json")
    (folder / f"{report.airflow}.svg").write_text(report.beside().svg(), encoding="utf-8")
    console.print(t("collapse.saved", folder=folder.relative_to(paths.ROOT)))


@contextlib.contextmanager
def _beside(release: str) -> Iterator[Stack]:
    """Have a second stack with another release of Airflow.

    Yields:
        The stack.
    """
    known = environments.airflow_releases()
    if release not in known:
        raise usage_error("collapse.unknown", release=release, known=listed(known))
    name = known[release]
    if not environments.is_ready(name):
        console.print(t("collapse.environment", release=release))
    python = environments.make(name)  # uv shows how far it is
    _, wanted = config.find_collapse()
    with contextlib.ExitStack() as end:
        with session.lock(), step(t("collapse.starting", release=release)):
            stack = end.enter_context(session.side(python, release, [wanted.dags, wanted.newer]))
        yield stack
        with step(t("collapse.stopping")):
            end.close()


def _count(stack: Stack, cases: Sequence[Case]) -> Report:
    release = stack.state.versions["airflow"]
    with step(t("collapse.dags", release=release)) as rename:
        report = collapse.run(stack, cases, lambda phase: rename(t(PHASES[phase], release=release)))
        rename(t("collapse.counted", release=release))
    return report


def _show(report: Report, cases: Sequence[Case]) -> None:
    """Print what was counted, and what each case is."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key, side in COLUMNS.items():
        table.add_column(t(key), justify="left" if side == "left" else "right")
    for one in report.outcomes:
        table.add_row(
            one.case,
            str(one.events),
            str(len(one.runs)),
            collapse.listed(one.runs),
            str(one.left),
            collapse.listed(one.then),
            str(one.still),
        )
    console.print(table)
    for case in cases:
        if any(one.case == case.name for one in report.outcomes):
            console.print(f"[dim]{case.name}: {in_language(case.title)}[/]")
