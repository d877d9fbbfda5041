"""Measures what the project promises and says whether it holds; `./lab bench --help` shows what there is.

Each figure is a ratio or a bound that was set beforehand. The figures of a run are written to `build/bench.json`.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from labkit import i18n, paths, session
from labkit.cli import INTERRUPTED
from labkit.errors import LabError
from tests.bench.brokers.bench import Asked, brokers
from tests.bench.clone import clone
from tests.bench.figures import Figure, console
from tests.bench.idle import idle
from tests.bench.latency import latency
from tests.bench.scale.bench import scale
from tests.bench.start import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCHES: dict[str, Callable[[], Iterator[Figure]]] = {"start": start, "latency": latency, "idle": idle, "clone": clone}
"""What runs where nothing is named. `brokers` and `scale` take longer than all of them and run only when named."""


def show(figures: list[Figure]) -> None:
    """Print the figures with their bounds, and write them down."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for figure in figures:
        mark = "[green]✓[/]" if figure.kept else "[red]✗[/]"
        sign = "≤" if figure.at_most else "≥"
        table.add_row(mark, figure.name, f"{figure.value:.2f} {figure.unit}", f"{sign} {figure.bound:g} {figure.unit}")
    console.print(table)
    airflow = metadata.version("apache-airflow")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Airflow {airflow}"
    console.print(f"[dim]{machine}[/]")
    paths.BUILD.mkdir(exist_ok=True)
    rows = [{"name": one.name, "value": one.value, "unit": one.unit, "bound": one.bound} for one in figures]
    report = {"machine": machine, "figures": rows}
    (paths.BUILD / "bench.json").write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True)
@click.option("--only", multiple=True)
@click.option("--record", is_flag=True)
def main(names: tuple[str, ...], only: tuple[str, ...], *, quick: bool, record: bool) -> None:
    """Run the benchmarks and exit with 0 when every bound is kept; `labkit.commands.bench` has checked the names."""
    asked = Asked(quick=quick, only=only, record=record)
    figures: list[Figure] = []
    with session.interruptible():
        session.sweep()
        for name in names or BENCHES:
            console.rule(name, align="left", style="dim")
            match name:
                case "brokers":
                    figures += brokers(asked)
                case "scale":
                    figures += scale(quick=quick, recording=record)
                case _:
                    figures += BENCHES[name]()
    show(figures)
    sys.exit(0 if all(figure.kept for figure in figures) else 1)


if __name__ == "__main__":
    i18n.use(i18n.from_environment([]))
    try:
        main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        console.print(i18n.t("cli.interrupted"))
        sys.exit(INTERRUPTED)
    except LabError as error:
        console.print(f"[bold red]{i18n.t('cli.error')}[/]{escape(str(error))}\n[dim]{escape(error.details)}[/]")
        sys.exit(error.exit_code)
