"""`drawing`: an SVG figure, inlined, so that it follows the page's colours and needs no script.

```markdown
:::{drawing} event-path
The way of one event.
:::
```

The file is `book/_static/figures/<name>.<language>.svg`; its `<title>` and `<desc>` are the text alternative, the body
is the caption. Mermaid was measured and left out: 250 kB more on a page, a script to draw it, and labels too small to
read on a phone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

FIGURES = Path(__file__).parents[1] / "_static" / "figures"
TITLE = re.compile(r"<title[ >][^<]*\w")


class Drawing(SphinxDirective):
    """Inline the figure of the page's language."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Render the figure; one without a title would be nothing to those who cannot see it."""
        file = FIGURES / f"{self.arguments[0]}.{self.config.book_lang}.svg"
        if not file.exists():
            raise self.error(f"There is no drawing {file}.")
        self.env.note_dependency(str(file))
        svg = file.read_text(encoding="utf-8")
        if not TITLE.search(svg) or 'role="img"' not in svg:
            raise self.error(f'{file.name} needs role="img" and a <title>: what it shows, in words.')
        figure = nodes.figure("", nodes.raw("", svg, format="html"), classes=["drawing"])
        if self.content:
            text, messages = self.parse_inline(" ".join(self.content))
            figure += [nodes.caption("", "", *text), *messages]
        self.set_source_info(figure)
        return [figure]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
