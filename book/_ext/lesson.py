"""The parts a lesson has: what it is for, what it asks, what to take home, and what its speaker says.

They are directives and not headings, so that the site, an agenda and a handout can be rendered from the same pages
(`Timing, objectives, key points and speaker notes are data`, the design's decision 13).

```markdown
:::{questions}
- What looks at the topic while no Dag runs?
:::

:::{objectives}
- hang a watcher on an asset
:::

:::{keypoints}
- A watcher is a trigger that belongs to an asset.
:::

:::{speaker-notes}
Show the triggerer's log first. Two minutes.
:::
```

Speaker notes are left out of the reader's build; `sphinx-build -D lesson_speaker_notes=1` shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

TITLES = {
    "objectives": {"en": "After this page you can", "zh-TW": "讀完這一頁，你能夠"},
    "questions": {"en": "Questions this page answers", "zh-TW": "這一頁回答的問題"},
    "keypoints": {"en": "Key points", "zh-TW": "重點整理"},
    "speaker-notes": {"en": "Speaker notes", "zh-TW": "講者筆記"},
}


class LessonPart(SphinxDirective):
    """A titled box whose title comes from the page's language, so that no page has to repeat it."""

    has_content = True
    part: ClassVar[str]

    def run(self) -> list[nodes.Node]:
        """Render the box; a part without a body is a mistake."""
        self.assert_has_content()
        title = TITLES[self.part][self.config.book_lang]
        box = nodes.admonition("", nodes.title("", title), classes=["lesson", f"lesson-{self.part}"])
        self.set_source_info(box)
        box += self.parse_content_to_nodes()
        return [box]


class Objectives(LessonPart):
    """What a reader can do afterwards; a list of verbs."""

    part = "objectives"


class Questions(LessonPart):
    """What the page answers; read aloud at the start of an evening."""

    part = "questions"


class Keypoints(LessonPart):
    """What to remember; a list of whole sentences."""

    part = "keypoints"


class SpeakerNotes(LessonPart):
    """What the speaker says or does here; absent from the reader's build."""

    part = "speaker-notes"

    def run(self) -> list[nodes.Node]:
        """Render only where the build asks for them."""
        return super().run() if self.config.lesson_speaker_notes else []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives and the switch for the speaker's build."""
    app.add_config_value("lesson_speaker_notes", default=False, rebuild="env", types=bool)
    for part in (Objectives, Questions, Keypoints, SpeakerNotes):
        app.add_directive(part.part, part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
