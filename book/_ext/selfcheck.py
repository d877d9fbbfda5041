"""`selfcheck`: a question whose every choice answers back. Plain `<details>`, so it needs no JavaScript.

```markdown
::::{selfcheck}
Which process runs the trigger's `run()`?

:::{choice} The scheduler
No. The scheduler only reads what the trigger left behind.
:::
:::{choice} The triggerer
:correct:
Yes, in its own process, beside all other triggers.
:::
::::
```

The verdict stands in words as well as in colour: colour alone would leave out those who cannot see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from disclosure import fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

TITLE = {"en": "Check yourself", "zh-TW": "自我檢查"}
VERDICT = {
    True: {"en": "Right. ", "zh-TW": "答對了。"},
    False: {"en": "Not quite. ", "zh-TW": "不太對。"},
}


class SelfCheck(SphinxDirective):
    """The question with its choices; at least one of them must be right."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Render the question and its choices."""
        self.assert_has_content()
        number: int = (self.env.temp_data.get("selfchecks") or 0) + 1
        self.env.temp_data["selfchecks"] = number
        title = nodes.title("", f"{TITLE[self.config.book_lang]} {number}")
        box = nodes.admonition("", title, *self.parse_content_to_nodes(), classes=["selfcheck"])
        self.set_source_info(box)
        choices = [node["classes"] for node in box.findall(nodes.Element) if "choice" in node["classes"]]
        if len(choices) < 2 or not any("choice-right" in classes for classes in choices):
            raise self.error("`selfcheck` needs two choices or more, and one of them `:correct:`.")
        return [box]


class Choice(SphinxDirective):
    """One choice: its text is the argument, its feedback the body."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {"correct": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Render the choice closed, its verdict at the start of the feedback."""
        self.assert_has_content()
        correct = "correct" in self.options
        text, messages = self.parse_inline(self.arguments[0])
        body = self.parse_content_to_nodes()
        verdict = nodes.strong("", VERDICT[correct][self.config.book_lang])
        if body and isinstance(body[0], nodes.paragraph):
            body[0].insert(0, verdict)
        else:
            body.insert(0, nodes.paragraph("", "", verdict))
        return [fold(text, [*messages, *body], classes=["choice", "choice-right" if correct else "choice-wrong"])]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.setup_extension("disclosure")
    app.add_directive("selfcheck", SelfCheck)
    app.add_directive("choice", Choice)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
