"""Pictures of measured things, as SVG: readable on light and dark pages, in print and by colour-blind eyes.

Each says in words what it shows, for those who hear it and for where no picture can be.
"""

from __future__ import annotations

import html
import io
import itertools
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from labkit.trace import Journey

INK = "#757d88"
"""Text and axes: no grey has more contrast on white and on the dark theme's background alike."""
WIDTH = 5.2
"""Inches: what a phone's screen shows without shrinking the letters too far."""
# Okabe and Ito's palette: tells apart for every common kind of colour vision.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: searchable, in the reader's font
    "svg.hashsalt": "lab",  # the same picture gives the same file
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": 11,
}


class Drawing:
    """A figure that notebooks show as SVG, whatever backend they have.

    Args:
        figure: What is drawn.
        told: What it shows, in words: a line for each thing that is in it.
    """

    def __init__(self, figure: Figure, told: Iterable[str]) -> None:
        self.figure = figure
        self.told = "\n".join(told)

    def __repr__(self) -> str:
        return self.told

    def _repr_svg_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """Return the picture as SVG, for a file or a page."""
        with mpl.rc_context(STYLE), io.StringIO() as file:
            self.figure.savefig(file, format="svg", metadata={"Date": None})
            label = html.escape("; ".join(self.told.splitlines()))
            return file.getvalue().replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def timeline(journey: Journey) -> Drawing:
    """Return one bar for each part of a message's way, labelled with its milliseconds."""
    with mpl.rc_context(STYLE):
        stages = journey.stages
        figure = Figure(figsize=(WIDTH, 0.36 * len(stages) + 0.6), layout="constrained")
        axes = _plain_axes(figure)
        start = journey.message.produced_at
        times = [(stage.at - start).total_seconds() * 1000 for stage in stages]
        for row, (stage, since) in enumerate(zip(stages[1:], times, strict=False)):
            took = times[row + 1] - since
            axes.barh(row, took, left=since, height=0.62, color=COLOURS[row % len(COLOURS)])
            axes.text(times[row + 1], row, f" {took:,.0f} ms", va="center")
            del stage
        names = [f"{one.name} → {two.name}" for one, two in itertools.pairwise(stages)]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("ms")
        axes.set_xlim(0, max(times) * 1.15)
        lengths = [after - before for before, after in itertools.pairwise(times)]
        told = [f"{name}: {took:,.0f} ms" for name, took in zip(names, lengths, strict=True)]
    return Drawing(figure, told)


@dataclass(frozen=True)
class Span:
    """A bar of a Gantt chart: in which lane, from when to when (seconds), of which kind."""

    lane: str
    begin: float
    end: float
    kind: str = ""


def gantt(spans: Sequence[Span], *, marks: Sequence[float] = (), kinds: Sequence[str] = (), unit: str = "s") -> Drawing:
    """Return a lane for each name, from top to bottom in order of appearance, with bars in it.

    Args:
        spans: The bars; each kind has a colour of its own, named below the chart where there are several.
        marks: Moments to mark in all lanes, such as arrivals; seconds.
        kinds: In which order the kinds take their colours, so that several charts have the same; others follow.
        unit: What the axis says.
    """
    lanes = list(dict.fromkeys(span.lane for span in spans))
    found = dict.fromkeys(span.kind for span in spans)
    colours = dict(zip(dict.fromkeys([*kinds, *found]), itertools.cycle(COLOURS), strict=False))
    kinds = [kind for kind in colours if kind in found]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.3 * len(lanes) + 1.1), layout="constrained")
        axes = _plain_axes(figure)
        for kind in kinds:
            chosen = [span for span in spans if span.kind == kind]
            axes.barh(
                [lanes.index(span.lane) for span in chosen],
                [span.end - span.begin for span in chosen],
                left=[span.begin for span in chosen],
                height=0.66,
                color=colours[kind],
                edgecolor=INK,
                linewidth=0.4,
                label=kind,
            )
        for mark in marks:
            axes.axvline(mark, color=INK, linewidth=0.6, linestyle=":")
        axes.set_yticks(range(len(lanes)), lanes)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        if len(kinds) > 1:
            _legend(axes, len(kinds))
    bars = ((span, f"{span.begin:.3g} to {span.end:.3g} {unit}") for span in spans)
    told = [" ".join(filter(None, [f"{span.lane}:", span.kind, when])) for span, when in bars]
    return Drawing(figure, told)


def dots(groups: Mapping[str, Sequence[float]], *, unit: str = "s", logarithmic: bool = False) -> Drawing:
    """Return a row of dots for each group, one a value, with its median as a line and a number.

    Args:
        groups: Name → values.
        unit: What the axis says.
        logarithmic: Where the groups differ by powers of ten.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 * len(groups) + 0.9), layout="constrained")
        axes = _plain_axes(figure)
        for row, (values, colour) in enumerate(zip(groups.values(), itertools.cycle(COLOURS), strict=False)):
            # Spread by position, not by chance: the same values give the same picture.
            heights = [row + 0.28 * ((number % 5) - 2) / 2 for number in range(len(values))]
            axes.scatter(values, heights, s=22, color=colour, alpha=0.75, linewidths=0)
            if values:
                middle = statistics.median(values)
                # Line and number of a row end before those of the next: medians often lie one below the other.
                axes.plot([middle, middle], [row - 0.34, row + 0.34], color=INK, linewidth=2)
                shown = f"{middle:#.2g}".rstrip(".")  # 2.0 and not 2
                axes.text(middle, row - 0.36, f"{shown} {unit}", ha="center", va="bottom", fontsize=10)
        if logarithmic:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.set_ylim(len(groups) - 0.4, -0.8)
        axes.set_xlabel(unit)
    return Drawing(figure, [_told_of_values(name, values, unit) for name, values in groups.items()])


def levels(series: Mapping[str, Sequence[tuple[float, float]]], *, unit: str = "s", what: str = "") -> Drawing:
    """Return steps over time, one line a series, each in a strip of its own below the other.

    Args:
        series: Name → (moment, value) pairs in order; a value holds until the next.
        unit: What the time axis says.
        what: What the values are, in a word or two.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.05 * len(series) + 0.7), layout="constrained")
        strips = figure.subplots(len(series), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, (name, pairs), colour in zip(strips, series.items(), itertools.cycle(COLOURS), strict=False):
            moments, values = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            axes.fill_between(moments, values, step="post", color=colour, alpha=0.8, linewidth=0)
            axes.set_title(name, loc="left", fontsize=11)
            axes.yaxis.get_major_locator().set_params(integer=True)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            axes.set_ylim(bottom=0)
        strips[-1].set_xlabel(unit)
        if what:
            figure.supylabel(what, fontsize=11)
    told = [
        f"{name}: {what or 'values'} from {min(value for _, value in pairs):g} to {max(value for _, value in pairs):g}"
        for name, pairs in series.items()
        if pairs
    ]
    return Drawing(figure, told)


def bars(groups: Mapping[str, Mapping[str, float]], *, unit: str = "") -> Drawing:
    """Return a bar for each group, made of its parts, with their sum beside it.

    Args:
        groups: Name → part → amount. Each part has a colour of its own; beyond the six largest they are one, `other`.
        unit: What the axis says.
    """
    totals: dict[str, float] = {}
    for parts in groups.values():
        for part, amount in parts.items():
            totals[part] = totals.get(part, 0) + amount
    large = sorted(totals, key=lambda part: (-totals[part], part))[: len(COLOURS) - 1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.36 * len(groups) + 1.5), layout="constrained")
        axes = _plain_axes(figure)
        ends = [0.0] * len(groups)
        for part, colour in zip([*large, "other"], COLOURS, strict=False):
            chosen = [_amount(parts, part, large) for parts in groups.values()]
            if any(chosen):
                axes.barh(range(len(groups)), chosen, left=ends, height=0.62, color=colour, label=part)
            ends = [end + amount for end, amount in zip(ends, chosen, strict=True)]
        for row, end in enumerate(ends):
            axes.text(end, row, f" {end:,.0f}", va="center")
        axes.set_xlim(0, max([*ends, 1]) * 1.15)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.legend(loc="upper left", bbox_to_anchor=(-0.2, -0.25), ncols=2, frameon=False, handlelength=1)
    return Drawing(figure, [_told_of_amounts(name, parts, unit) for name, parts in groups.items()])


def pairs(groups: Mapping[str, Mapping[str, float]], *, unit: str = "") -> Drawing:
    """Return a bar for each series in each group, one below the other, each with its number.

    Args:
        groups: Name → series → amount; a series that a group lacks leaves a gap.
        unit: What the axis says.
    """
    series = list(dict.fromkeys(name for amounts in groups.values() for name in amounts))
    height = 0.8 / len(series)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, (0.24 * len(series) + 0.2) * len(groups) + 1.1), layout="constrained")
        axes = _plain_axes(figure)
        for place, (name, colour) in enumerate(zip(series, itertools.cycle(COLOURS), strict=False)):
            rows = [(row, amounts[name]) for row, amounts in enumerate(groups.values()) if name in amounts]
            heights = [row - 0.4 + height * (place + 0.5) for row, _ in rows]
            axes.barh(heights, [amount for _, amount in rows], height=height * 0.9, color=colour, label=name)
            for at, (_, amount) in zip(heights, rows, strict=True):
                axes.text(amount, at, f" {amount:g}", va="center")
        axes.set_xlim(0, max(1, *(amount for amounts in groups.values() for amount in amounts.values())) * 1.1)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False)
    return Drawing(figure, [_told_of_amounts(name, amounts, unit) for name, amounts in groups.items()])


def _told_of_values(name: str, values: Sequence[float], unit: str) -> str:
    if not values:
        return f"{name}: none"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{name}: {len(values)} values, median {middle:.2g} {unit}, from {low:.2g} to {high:.2g}"


def _told_of_amounts(name: str, amounts: Mapping[str, float], unit: str) -> str:
    told = ", ".join(f"{part} = {amount:,g}" for part, amount in amounts.items()) or "none"
    return f"{name}: {told}" + (f" ({unit})" if unit and amounts else "")


def _amount(parts: Mapping[str, float], part: str, large: Sequence[str]) -> float:
    """Return a part's amount; `other` is what is not among the large ones."""
    if part != "other":
        return parts.get(part, 0)
    return sum(amount for name, amount in parts.items() if name not in large)


def _plain_axes(figure: Figure) -> Any:
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def _legend(axes: Any, columns: int) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.22), ncols=min(columns, 4), frameon=False, handlelength=1)
