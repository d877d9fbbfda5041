"""`seed-ledger`: the facts of the article that the course grew from, and what became of each.

The rows are in `book/ledger.toml`; how their tests went is in `build/ledger.json`, which `pytest tests/ledger` writes.
Results of other rows, other tests or other packages are not shown: the page then says that nothing was proved for this
build.

The filter is radio buttons and CSS (course.css), so it works without scripts; without CSS, every row is shown.
"""

from __future__ import annotations

import html
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

import ledger_rows
from disclosure import fold
from ledger_rows import Ledger, LedgerError, Results, Row
from notebooks import say_date

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

PAGE = "seed-ledger"
PULL = "https://github.com/apache/airflow/pull/{}"
PACKAGES = {
    "core": "apache-airflow-core",
    "task-sdk": "apache-airflow-task-sdk",
    "kafka": "apache-airflow-providers-apache-kafka",
    "amazon": "apache-airflow-providers-amazon",
    "messaging": "apache-airflow-providers-common-messaging",
    "http": "apache-airflow-providers-http",
    "standard": "apache-airflow-providers-standard",
}
VERDICTS = {
    "true": {"en": "holds", "zh-TW": "成立"},
    "incomplete": {"en": "not the whole story", "zh-TW": "不完整"},
    "changed": {"en": "changed", "zh-TW": "已改變"},
    "wrong": {"en": "not so", "zh-TW": "不成立"},
}
WORDS = {
    "en": {
        "then": "Airflow 3.0",
        "now": "Airflow {airflow}",
        "colon": ": ",
        "filter": "Show",
        "all": "all",
        "tally": "{count} facts, as of Airflow {airflow}:",
        "proved": "Proved on Airflow {airflow}, {date}.",
        "failed": "The proof failed on Airflow {airflow}, {date}.",
        "unproved": "Not proved in this build.",
        "all_proved": "Every one of them was proved on Airflow {airflow}, {date}, by a test of its own.",
        "some_proved": "{proved} of them were proved on Airflow {airflow}, {date}; the others failed.",
        "none_proved": "None of them was proved for this build: `./lab test ledger` does it, `./lab site` shows it.",
        "fold": "Proof and evidence",
        "test": "Test",
        "evidence": "Evidence",
        "read": "Read for 3.0, not run",
        "chapter": "Chapter {}",
        "soon": " (being written)",
        "link": "Link to this row",
    },
    "zh-TW": {
        "then": "Airflow 3.0",
        "now": "Airflow {airflow}",
        "colon": "：",
        "filter": "顯示",
        "all": "全部",
        "tally": "共 {count} 條敘述，以 Airflow {airflow} 來看：",
        "proved": "{date}在 Airflow {airflow} 上證實。",
        "failed": "{date}在 Airflow {airflow} 上沒有通過。",
        "unproved": "這次建置沒有驗證。",
        "all_proved": "{date}，每一條都在 Airflow {airflow} 上由自己的測試證實。",
        "some_proved": "{date}，其中 {proved} 條在 Airflow {airflow} 上證實，其餘沒有通過。",
        "none_proved": "這次建置沒有驗證任何一條：`./lab test ledger` 負責驗證，`./lab site` 把結果放上來。",
        "fold": "證明與依據",
        "test": "測試",
        "evidence": "依據",
        "read": "3.0 的判斷來自閱讀，沒有執行",
        "chapter": "第 {} 章",
        "soon": "（撰寫中）",
        "link": "這一條的連結",
    },
}


class SeedLedger(SphinxDirective):
    """Render all rows, by section of the article."""

    def run(self) -> list[nodes.Node]:
        """Return the tally, the filter and the sections; each row can be linked to as `ledger-<id>`."""
        lang = self.config.book_lang
        self.words = WORDS[lang]
        try:
            ledger = ledger_rows.load()
        except LedgerError as error:
            raise self.error(f"{ledger_rows.FILE.name}: {error}") from error
        self.env.note_dependency(str(ledger_rows.FILE))
        results = ledger_rows.read_results()
        self.airflow = metadata.version("apache-airflow")
        out = [*self._tally(ledger, results), self._filter()]
        for section in ledger.sections:
            rows = [row for row in ledger.rows if row.section == section.id]
            anchor = f"ledger-section-{section.id}"
            title = nodes.title("", "", *self.parse_inline(section.title[lang])[0])
            part = nodes.section("", title, ids=[anchor], names=[anchor])
            self.state.document.note_explicit_target(part)
            part += [self._row(row, results) for row in rows]
            out.append(part)
        return out

    def _text(self, text: str) -> list[nodes.Node]:
        inline, messages = self.parse_inline(text)
        return [*inline, *messages]

    def _chip(self, verdict: str) -> nodes.inline:
        return nodes.inline("", VERDICTS[verdict][self.config.book_lang], classes=["verdict", f"verdict-{verdict}"])

    def _tally(self, ledger: Ledger, results: Results | None) -> list[nodes.Node]:
        count = Counter(row.now for row in ledger.rows)
        first = nodes.paragraph("", self.words["tally"].format(count=len(ledger.rows), airflow=self.airflow))
        list_ = nodes.bullet_list("", classes=["ledger-tally"])
        for verdict in VERDICTS:
            item = nodes.paragraph("", "", nodes.strong("", str(count[verdict])), nodes.Text(" "), self._chip(verdict))
            list_ += nodes.list_item("", item)
        return [first, list_, nodes.paragraph("", "", *self._text(self._proofs(ledger, results)))]

    def _proofs(self, ledger: Ledger, results: Results | None) -> str:
        if results is None:
            return self.words["none_proved"]
        proved = sum(results.rows.get(row.id) == "passed" for row in ledger.rows)
        words = self.words["all_proved" if proved == len(ledger.rows) else "some_proved"]
        return words.format(proved=proved, airflow=results.airflow, date=say_date(results.date, self.config.book_lang))

    def _filter(self) -> nodes.raw:
        choices = {"all": self.words["all"]} | {name: each[self.config.book_lang] for name, each in VERDICTS.items()}
        buttons = "".join(
            f'<label><input type="radio" name="ledger-show" id="ledger-show-{name}"'
            f"{' checked' if name == 'all' else ''}> {html.escape(label)}</label>"
            for name, label in choices.items()
        )
        legend = html.escape(self.words["filter"])
        return nodes.raw(
            "", f'<fieldset class="ledger-filter"><legend>{legend}</legend>{buttons}</fieldset>', format="html"
        )

    def _row(self, row: Row, results: Results | None) -> nodes.container:
        lang = self.config.book_lang
        anchor = f"ledger-{row.id}"
        link = nodes.reference("", "#", refid=anchor, classes=["headerlink"], reftitle=self.words["link"])
        claim = nodes.paragraph("", "", *self._text(row.claim[lang]), link, classes=["ledger-claim"])
        verdicts = nodes.paragraph("", "", classes=["ledger-verdicts"])
        for name, verdict in (("then", row.then), ("now", row.now)):
            label = self.words[name].format(airflow=self.airflow)
            verdicts += nodes.inline(
                "", "", nodes.Text(label + self.words["colon"]), self._chip(verdict), classes=["ledger-verdict"]
            )
        today = nodes.paragraph("", "", *self._text(row.today[lang]))
        foot = nodes.paragraph("", "", self._chapter(row.chapter), classes=["ledger-foot"])
        foot += [nodes.Text(" · "), self._state(row, results)]
        summary: list[nodes.Node] = [nodes.Text(self.words["fold"])]
        box = nodes.container("", claim, verdicts, today, foot, fold(summary, [self._details(row)], classes=[]))
        box["ids"].append(anchor)
        box["names"].append(anchor)
        box["classes"] += ["ledger-row", f"ledger-{row.now}"]
        self.state.document.note_explicit_target(box)
        return box

    def _state(self, row: Row, results: Results | None) -> nodes.inline:
        if results is None:
            return nodes.inline("", self.words["unproved"], classes=["ledger-unproved"])
        passed = results.rows.get(row.id) == "passed"
        date = say_date(results.date, self.config.book_lang)
        words = self.words["proved" if passed else "failed"].format(airflow=results.airflow, date=date)
        return nodes.inline("", words, classes=["ledger-proved" if passed else "ledger-failed"])

    def _chapter(self, number: int) -> nodes.Node:
        """Link to the chapter, where there is one."""
        text = self.words["chapter"].format(number)
        pages = sorted(page for page in self.env.found_docs if page.startswith(f"chapters/{number:02}-"))
        if not pages:
            return nodes.inline("", text + self.words["soon"])
        ref = pending_xref("", nodes.inline("", text), refdomain="std", reftype="doc", reftarget=f"/{pages[0]}")
        ref["refdoc"], ref["refexplicit"], ref["refwarn"] = self.env.docname, True, True
        return ref

    def _details(self, row: Row) -> nodes.bullet_list:
        source, _, file = row.read.partition(":")
        package = f"{PACKAGES[source]} {ledger_rows.SOURCES[source]}"
        out = nodes.bullet_list("")

        def add(label: str, *parts: nodes.Node) -> None:
            text = nodes.paragraph("", "", nodes.Text(self.words[label] + self.words["colon"]), *parts)
            out.append(nodes.list_item("", text))

        add("test", nodes.literal("", f"{row.test_file}::{row.test_function}"))
        parts: list[nodes.Node] = []
        for each in row.evidence:
            parts += [nodes.Text("、" if self.config.book_lang == "zh-TW" else ", ")] if parts else []
            if each.startswith("#"):
                parts.append(nodes.reference("", each, refuri=PULL.format(each[1:]), internal=False))
            else:
                parts.append(nodes.literal("", each))
        add("evidence", *parts)
        comma = ", " if self.config.book_lang == "en" else "，"
        add("read", nodes.Text(package + comma), nodes.literal("", file.strip()))
        return out


def read_again(
    app: Sphinx, env: BuildEnvironment, _added: set[str], _changed: set[str], _removed: set[str]
) -> list[str]:
    """Read the ledger's page at each build: results come and go, and so do the chapters that it links to."""
    return [PAGE] if PAGE in env.all_docs and PAGE in env.found_docs else []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.setup_extension("disclosure")
    app.add_directive("seed-ledger", SeedLedger)
    app.connect("env-get-outdated", read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
