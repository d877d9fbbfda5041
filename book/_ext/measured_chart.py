"""A drawing made of a record: one directive for every record that has its drawings in a `CHARTS`.

A page names the drawing and writes its caption; which record it is made of is in the directive's own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class MeasuredChart(SphinxDirective):
    """A chart; the body is its caption.

    Attributes:
        file: The record, on which the page depends.
        load: Returns what is in it.
        charts: The drawings by name: each makes an SVG of the record, for a language.
    """

    required_arguments = 1
    has_content = True
    file: ClassVar[Path]
    load: ClassVar[Callable[[], dict[str, Any]]]
    charts: ClassVar[Mapping[str, Callable[[dict[str, Any], str], str]]]

    def run(self) -> list[nodes.Node]:
        """Draw it from the record."""
        if self.arguments[0] not in self.charts:
            raise self.error(f"There is no chart {self.arguments[0]}. There are: {', '.join(self.charts)}.")
        self.env.note_dependency(str(self.file))
        svg = self.charts[self.arguments[0]](type(self).load(), self.config.book_lang)
        figure = nodes.figure("", nodes.raw("", svg, format="html"), classes=["drawing"])
        if self.content:
            text, messages = self.parse_inline(" ".join(self.content))
            figure += [nodes.caption("", "", *text), *messages]
        self.set_source_info(figure)
        return [figure]
