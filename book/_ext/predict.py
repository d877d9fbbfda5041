"""`predict`: commit to an answer before you see what happens.

```markdown
::::{predict}
Five messages arrive within one second. How many Dag runs will there be?

:::{answer}
One, and it knows the first message only.
:::
::::
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from disclosure import fold

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

TITLE = {"en": "Predict", "zh-TW": "先猜猜看"}
REVEAL = {"en": "See what happens", "zh-TW": "看看結果"}


class Predict(SphinxDirective):
    """The prompt. It must hold an `answer`, or the reader never learns whether the guess was right."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Render the prompt and its answer."""
        self.assert_has_content()
        title = nodes.title("", TITLE[self.config.book_lang])
        box = nodes.admonition("", title, *self.parse_content_to_nodes(), classes=["predict"])
        self.set_source_info(box)
        if not any("answer" in node["classes"] for node in box.findall(nodes.Element)):
            raise self.error("`predict` needs an `answer` inside.")
        return [box]


class Answer(SphinxDirective):
    """What happens, folded away."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Render the answer closed."""
        self.assert_has_content()
        summary: list[nodes.Node] = [nodes.Text(REVEAL[self.config.book_lang])]
        return [fold(summary, self.parse_content_to_nodes(), classes=["answer"])]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.setup_extension("disclosure")
    app.add_directive("predict", Predict)
    app.add_directive("answer", Answer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
