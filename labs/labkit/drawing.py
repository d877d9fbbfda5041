"""Pictures of measured things, as SVG: readable on light and dark pages, in print and by colour-blind eyes."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from labkit.trace import Journey

INK = "#7a828c"
"""Text and axes: enough contrast on white and on the dark theme's background alike."""
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
    """A figure that notebooks show as SVG, whatever backend they have."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def _repr_svg_(self) -> str:
        with mpl.rc_context(STYLE), io.StringIO() as file:
            self.figure.savefig(file, format="svg", metadata={"Date": None})
            return file.getvalue()


def timeline(journey: Journey) -> Drawing:
    """Return one bar for each part of a message's way, labelled with its milliseconds."""
    with mpl.rc_context(STYLE):
        stages = journey.stages
        figure = Figure(figsize=(5.2, 0.36 * len(stages) + 0.6), layout="constrained")
        axes = figure.subplots()
        start = journey.message.produced_at
        times = [(stage.at - start).total_seconds() * 1000 for stage in stages]
        for row, (stage, since) in enumerate(zip(stages[1:], times, strict=False)):
            took = times[row + 1] - since
            axes.barh(row, took, left=since, height=0.62, color=COLOURS[row % len(COLOURS)])
            axes.text(times[row + 1], row, f" {took:,.0f} ms", va="center")
            del stage
        names = [f"{one.name} → {two.name}" for one, two in pairwise(stages)]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("ms")
        axes.set_xlim(0, max(times) * 1.15)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return Drawing(figure)
