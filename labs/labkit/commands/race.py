"""`lab race`: lets the old pattern and watchers handle the same messages, and shows what each took."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
from rich.live import Live
from rich.table import Table

from labkit import config, paths, race, session
from labkit.cli import Command, Range
from labkit.config import in_language
from labkit.i18n import t
from labkit.ui import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labkit.config import Racer
    from labkit.race import Race, Standing, Stream

PHASES = {
    "waits": "race.waits",
    "lines_up": "race.lines_up",
    "races": "race.races",
    "done": "race.done",
}
"""What the engine calls the phases, and what people read."""


@click.command("race", cls=Command)
@click.argument("racers", nargs=-1)
@click.option("--events", type=click.IntRange(1, 500), default=None)
@click.option("--rate", type=Range(0.01, 1000), default=None)
@click.option("--seed", type=int, default=None)
def command(racers: tuple[str, ...], events: int | None, rate: float | None, seed: int | None) -> None:
    """Run a race."""
    chosen = config.find_racers(racers)
    stack = session.current()
    race.check_broker(stack)
    for lab in config.labs():
        if any(racer in chosen for racer in lab.racers):
            stack = session.having(lab)
    race.check(stack, chosen)
    with session.interruptible():
        for stream in _streams(events, rate, seed):
            with _live(chosen, stream) as tell:
                outcome = race.run(stack, chosen, stream, tell)
            _show(outcome)
            _draw(outcome)
    console.print(t("race.charts", folder=(paths.BUILD / "race").relative_to(paths.ROOT)))


def _streams(events: int | None, rate: float | None, seed: int | None) -> list[Stream]:
    """Return the usual two streams, or the one that was asked for."""
    if events is None and rate is None:
        usual = (race.SPARSE, race.BURST)
        return [race.with_seed(stream, seed) for stream in usual]
    other = race.BURST
    return [race.Stream("race", events or other.events, rate or other.rate, seed if seed is not None else other.seed)]


@contextlib.contextmanager
def _live(racers: list[Racer], stream: Stream) -> Iterator[Callable[[Standing], None]]:
    """Show how far everyone is while the race runs.

    Yields:
        A function that is told whenever there is news of a racer.
    """
    headline = t("race.stream", name=stream.name, events=stream.events, rate=f"{stream.rate:g}")
    console.print(f"\n[bold]{headline}[/]")
    if not console.is_terminal:
        yield lambda _: None
        return
    standings = {racer.name: race.Standing(racer, stream) for racer in racers}
    with Live(_standing_table(standings), console=console, refresh_per_second=12, transient=True) as live:

        def tell(standing: Standing) -> None:
            standings[standing.racer.name] = standing
            live.update(_standing_table(standings))

        yield tell


def _standing_table(standings: dict[str, Standing]) -> Table:
    table = _table("race.racer", "race.what", "race.handled", "race.busy")
    for one in standings.values():
        bar = "█" * one.handled + "░" * (one.stream.events - one.handled) if one.stream.events <= 40 else ""
        phase = t(PHASES[one.phase])
        table.add_row(one.racer.name, phase, f"{bar} {one.handled}/{one.stream.events}", "●" * one.slots)
    return table


def _table(*keys: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in keys:
        names = key in {"race.racer", "race.what"}
        table.add_column(t(key), justify="left" if names else "right", no_wrap=names)
    return table


def _show(outcome: Race) -> None:
    """Print the results, and who lost messages."""
    numbers = ("race.handled", "race.median", "race.longest", "race.runs", "race.instances", "race.slots", "race.rows")
    alone = not outcome.stream.together
    table = _table("race.racer", *(numbers if alone else numbers[:-1]))
    for one in outcome.results:
        cells = [
            one.racer.name,
            f"{one.handled}/{len(one.delays)}",
            "" if one.median is None else f"{one.median:.1f} s",
            "" if one.longest is None else f"{one.longest:.1f} s",
            str(one.runs),
            str(one.instances),
            f"{one.slot_seconds:.1f}",
        ]
        table.add_row(*cells, *([str(sum(one.written.values()))] if one.written is not None else []))
    console.print(table)
    for one in outcome.results:
        left = len(one.delays) - one.handled
        if left:
            console.print(f"[yellow]![/] {t('race.lost', racer=one.racer.name, count=left, events=len(one.delays))}")
    for one in outcome.results:
        name = t("race.title", racer=one.racer.name, title=in_language(one.racer.title))
        console.print(f"[dim]{name}[/]")


def _draw(outcome: Race) -> None:
    """Write the charts."""
    folder = paths.BUILD / "race"
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in outcome.charts().items():
        (folder / f"{outcome.stream.name}-{name}.svg").write_text(chart.svg(), encoding="utf-8")
