"""Included code begins at the margin, with its first line, and ends with its last.

Markers stand where a formatter wants blank lines around them, and what is between them may be a method: on the page
neither the blank lines nor the indentation mean anything.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class Trim(SphinxTransform):
    """Trims what `literalinclude` brought; it alone names the file that its text is from."""

    default_priority = 500

    def apply(self, **_kwargs: object) -> None:
        """Rewrite the blocks."""
        for block in self.document.findall(nodes.literal_block):
            if "source" not in block:
                continue
            text = textwrap.dedent(block.astext()).strip("\n") + "\n"
            block.rawsource = text  # Sphinx colours only what is as it was written
            block.children = []
            block.append(nodes.Text(text))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform."""
    app.add_transform(Trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
