"""Drop the source's line break between two CJK characters, which browsers show as a space.

CSS Text 3 leaves the treatment of segment breaks to the browser; Chromium makes a space of it (measured: 104.5 px
against 100 px). docutils and MyST keep the break as it stands in the source, MyST as a text node of its own, so the
neighbours have to be looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

CJK = r"\u2014\u2026\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"
INSIDE = re.compile(rf"(?<=[{CJK}])\n(?=[{CJK}])")
ENDS = re.compile(rf"[{CJK}]$")
STARTS = re.compile(rf"^[{CJK}]")
VERBATIM = (nodes.FixedTextElement, nodes.literal, nodes.raw, nodes.comment)


class JoinCjkLines(SphinxPostTransform):
    """Runs last, when references are resolved and their text is known."""

    default_priority = 900

    def run(self, **_kwargs: object) -> None:
        """Rewrite the text nodes of a Chinese page."""
        if not self.config.book_lang.startswith("zh"):
            return
        for text in list(self.document.findall(nodes.Text)):
            parent = text.parent
            if isinstance(parent, VERBATIM):
                continue
            if text == "\n":
                # By identity: all line breaks are equal. And past the next node, which MyST may have left empty.
                at = next(i for i, child in enumerate(parent.children) if child is text)
                before, after = ("".join(child.astext() for child in part) for part in (parent[:at], parent[at + 1 :]))
                if ENDS.search(before) and STARTS.search(after):
                    del parent[at]
            elif (joined := INSIDE.sub("", text)) != text:
                parent.replace(text, nodes.Text(joined))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform."""
    app.add_post_transform(JoinCjkLines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
