"""What the sources of events sustain, from `book/broker-numbers.json`, which `./lab bench brokers --record` writes.

- `{broker-chart}`, with `limits` or `latency`: a drawing
- `{broker-table}`: a row for each scheme and pattern
- `{broker-run}`: where, when and with what it was measured
- the role `{broker}`: one number, named by its place in the record, such as `kafka-single.half.recorded.p50`, so that
  no number in prose can differ from the record
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

from broker_chart import CHARTS, FILE, NAMES, WORDS, find, in_seconds, load, plain, sustained
from measured_chart import MeasuredChart
from notebooks import say_date

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class BrokerChart(MeasuredChart):
    """A chart of what sources sustain."""

    file, load, charts = FILE, staticmethod(load), CHARTS


class _Written(SphinxDirective):
    """Something that is written in Markdown from the record."""

    def lines(self, table: dict[str, Any], lang: str) -> list[str]:
        """Return the Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Have it parsed where it stands."""
        self.env.note_dependency(str(FILE))
        box = nodes.container(classes=["broker-numbers"])
        lines = self.lines(load(), self.config.book_lang)
        self.state.nested_parse(StringList(lines, source=str(FILE)), self.content_offset, box)
        return [box]


class BrokerTable(_Written):
    """A row for each contender: a definition list, for a table of six columns is too wide for a phone."""

    def lines(self, table: dict[str, Any], lang: str) -> list[str]:
        """Return the Markdown."""
        words, out = WORDS[lang], []
        for row in table["contenders"].values():
            half, whole = row["half"], row["in_runs"]
            told = words["row"].format(
                limit=sustained(row, words),
                whole=words["none_whole"] if whole is None else plain(whole),
                p50=in_seconds(half["recorded"]["p50"], words),
                p95=in_seconds(half["recorded"]["p95"], words),
                **half,
            )
            out += [f"{NAMES[row['name']][lang]} (`{row['name']}`)", f": {told}", ""]
        return out


class BrokerRun(_Written):
    """Where, when and with what it was measured."""

    def lines(self, table: dict[str, Any], lang: str) -> list[str]:
        """Return the Markdown."""
        words, machine = WORDS[lang], table["machine"]
        text = words["run"].format(
            date=say_date(table["date"], lang),
            command=table["command"],
            minutes=max(1, round(table["seconds"] / 60)),
            cores=machine["cores"],
            memory=machine["memory_gb"],
            system=machine["system"],
            **table["versions"],
        )
        return [text + (words["provisional"] if table["provisional"] else "")]


class BrokerNumber(SphinxRole):
    """One number of the record."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Look it up."""
        self.env.note_dependency(str(FILE))
        table = load()
        name, _, key = self.text.partition(".")
        if key == "sustained" and name in table["contenders"]:  # with its sign, as in the table
            return [nodes.Text(sustained(table["contenders"][name], WORDS[self.config.book_lang]))], []
        try:
            value = find(self.text, table)
        except LookupError:
            message = self.inliner.reporter.error(f"{FILE.name} has nothing at {self.text!r}.", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.Text(plain(value) if isinstance(value, int | float) else str(value))], []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives and the role."""
    app.setup_extension("notebooks")
    app.add_directive("broker-chart", BrokerChart)
    app.add_directive("broker-table", BrokerTable)
    app.add_directive("broker-run", BrokerRun)
    app.add_role("broker", BrokerNumber())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
