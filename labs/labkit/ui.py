"""What the terminal shows: steps with a spinner and their time, tables, the live journey of an event."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from labkit.i18n import t
from labkit.trace import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labkit.trace import Journey

PICTURE = os.environ.get("LAB_PICTURE")
"""Where to draw what the terminal shows as SVG; this is how the README's pictures are made."""

console = Console(highlight=False, record=bool(PICTURE), width=112 if PICTURE else None)


def draw_picture(title: str) -> None:
    """Write the picture that was asked for, if any."""
    if PICTURE:
        drawing = console.export_svg(title=title, unique_id="terminal")
        # Rich squeezes Chinese text into half its width, and names fonts of another host.
        drawing = re.sub(r' textLength="[^"]*"', "", drawing)
        drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
        drawing = re.sub(r"font-family: Fira Code", "font-family: ui-monospace, Menlo, Consolas", drawing)
        Path(PICTURE).write_text(drawing, encoding="utf-8")


@contextlib.contextmanager
def step(label: str) -> Iterator[Callable[[str], None]]:
    """Show a step while it is at work and its time when it is done.

    Yields:
        A function that changes the label, for steps that tell how far they are.
    """
    began = time.monotonic()
    current = label

    if not console.is_terminal:

        def rename_quietly(text: str) -> None:
            nonlocal current
            current = text

        yield rename_quietly
        console.print(f"[green]✓[/] {current}  [dim]{time.monotonic() - began:.1f} s[/]")
        return

    spinner = Spinner("dots", text=label)

    def rename(text: str) -> None:
        nonlocal current
        current = text
        spinner.update(text=Text(text))

    with Live(spinner, console=console, refresh_per_second=12, transient=True):
        yield rename
    console.print(f"[green]✓[/] {current}  [dim]{time.monotonic() - began:.1f} s[/]")


@contextlib.contextmanager
def download(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a download with its size, speed and the file at work; nothing where nothing is downloaded.

    Yields:
        A function of file, bytes done and bytes in all.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = None

    def report(name: str, done: int, total: int) -> None:
        nonlocal task
        if task is None:
            bar.start()
            task = bar.add_task(label, total=total)
        bar.update(task, completed=done, description=f"{label} [dim]{name}[/]")

    try:
        yield report
    finally:
        if task is not None:
            bar.stop()
            console.print(f"✓ {label}")


def journey_table(journey: Journey, *, live: bool = False) -> Table:
    """Return a message's way through Airflow, one line a stage: what happened, which row proves it, when."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in ("trace.stage", "trace.where", "trace.row", "trace.time", "trace.after"):
        table.add_column(t(key), justify="right" if key == "trace.after" else "left", no_wrap=True)
    start = journey.message.produced_at
    reached = {stage.name: stage for stage in journey.stages}
    for name in STAGES:
        stage = reached.get(name)
        if stage:
            where = t("trace.log") if name == "trigger" else escape(stage.table)
            when = stage.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
            after = f"+{(stage.at - start).total_seconds() * 1000:,.0f} ms"
            table.add_row(f"[green]●[/] {t(f'trace.{name}')}", where, stage.id, when, after)
        elif live and name != "trigger":
            table.add_row(f"[dim]○ {t(f'trace.{name}')}[/]", "", "", "", "")
    return table


@contextlib.contextmanager
def journey_live(message_text: str) -> Iterator[Callable[[Journey], None]]:
    """Show a journey as it happens; afterwards its table stays.

    Yields:
        A function that is told the journey as far as it is known.
    """
    console.print("\n" + t("trace.following", message=f"[cyan]{escape(message_text)}[/]"))
    latest: Journey | None = None

    def remember(journey: Journey) -> None:
        nonlocal latest
        latest = journey

    if not console.is_terminal:
        yield remember
        if latest:
            console.print(journey_table(latest))
        return
    with Live(console=console, refresh_per_second=12, transient=True) as live:

        def show(journey: Journey) -> None:
            remember(journey)
            live.update(Group(journey_table(journey, live=True)))

        yield show
    if latest:
        console.print(journey_table(latest))


def size(count: float) -> str:
    """Return bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
