"""Broker passports: pages about the seven schemes, made from the wheels and from runs (`passport_data.py`).

- `{passport} SCHEME`: everything on one scheme, in sections that can be linked to as `passport-<page>-<part>`
- `{passport-table}`: all schemes side by side; on a phone, one card for each
- `{passport-moments}`: the drawing of when each acknowledges; its body is the caption
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

import passport_data
import passport_picture
from passport_data import PassportError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

    from passport_data import Passport

PULL = "[{0}](https://github.com/apache/airflow/pull/{1})"
OVERVIEW = "broker-passports"
NUMBERS_PAGE = "broker-numbers"

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "parts": {
            "facts": "What it is",
            "ack": "When it acknowledges",
            "lost": "What is lost, what comes twice",
            "payload": "What arrives",
            "parameters": "Parameters",
            "bench": "On the trigger test bench",
            "measured": "Measured",
        },
        "stamp": "`{package}` {version}, with Airflow {airflow} and common-messaging {messaging}.",
        "since": "Since",
        "since_scheme": "`{package}` {version}",
        "since_queue": "; for `queue=` only, since {queue}",
        "since_before": ". The wheel of {before} has no such scheme",
        "since_first": ", its first release",
        "pulls": ". Pull requests: {pulls}",
        "stop": ".",
        "comma": ", ",
        "package": "Package",
        "provider": "Queue provider",
        "trigger": "Trigger",
        "mro": "Classes, from the trigger up",
        "watcher": "In an `AssetWatcher` by itself",
        "watcher_yes": "yes, it is a `BaseEventTrigger`",
        "watcher_no": "no, it is a plain `BaseTrigger`; inside `MessageQueueTrigger` it is taken",
        "queue": "The older `queue=`",
        "queue_yes": "accepted: `{asked}`; the pattern is `{pattern}`",
        "queue_no": "never: this provider knows no URI. Use `scheme=`",
        "lines": {"ack": "acknowledges", "yield": "hands over", "take": "takes", "wait": "waits when cancelled"},
        "lines_after": {
            "ack": "saves its place",
            "yield": "hands over",
            "take": "takes",
            "wait": "waits when cancelled",
        },
        "lines_head": "The lines, as they are in the installed wheel:",
        "seen": {
            "acknowledged": "**Seen in a run:** with the event handed over, {who} would not deliver the message again.",
            "place-not-saved": "**Seen in a run:** with the event handed over, the place had not been saved yet.",
            "keeps-nothing": "**Seen in a run:** with the event handed over, {who} had nothing left to deliver.",
            "waiting": "**Seen in a run:** with the event handed over, {who} would still deliver the message again.",
        },
        "switch": "With `{set}`",
        "lost": "Lost",
        "doubled": "Twice",
        "burst": "A handful at once",
        "burst_told": "{published} messages, sent at once: {events}, {messages} in all.",
        "count": {"events": ("{} event", "{} events"), "messages": ("{} message", "{} messages")},
        "care": "Take care",
        "payload_head": '`event.extra["payload"]` for `{sent}`, run on {on}. `…` stands for what differs each time.',
        "on": {
            "kafka": "a real Apache Kafka",
            "redis": "a real Redis",
            "moto": "moto, a stand-in for AWS",
            "mock": "librdkafka's mock of Kafka",
            "answers-google": "prepared answers",
            "answers-azure": "prepared answers",
            "answers-ibm": "prepared answers",
        },
        "who": {"kafka": "the broker", "redis": "Redis", "moto": "moto", "answers": "the stand-in"},
        "answers": {
            "answers-google": (
                "**No Google Cloud was asked.** Trigger, hook and Google's client are the real ones; the client speaks "
                "gRPC to a small server on this machine that answers as we prepared it."
            ),
            "answers-azure": (
                "**No Azure was asked.** Trigger, hook and the message objects of Azure's client are the real ones; "
                "the client's connection is replaced, and answers as we prepared it."
            ),
            "answers-ibm": (
                "**No queue manager was asked.** Trigger, hook and IBM's Python classes are the real ones; IBM's "
                "library in C below them is replaced, and answers as we prepared it."
            ),
        },
        "required": "required",
        "default": "default",
        "bench_head": "{signs}. {kind}. Examined on {on}; {link} says what each check means.",
        "bench_link": "the test bench",
        "bench_all": "✓ passes every check",
        "kind": {"long-running": "Long-running", "yield-and-return": "Yields and returns"},
        "measured_told": (
            "Sustained without loss: **{sustained} events a second**; at half of that, an event is recorded after "
            "{delay} s (median). {link} says how that was measured."
        ),
        "measured_link": "The page of numbers",
        "measured_none": "Not measured.",
        "measured_yet": "No numbers are recorded yet: `./lab bench brokers --record` measures this one.",
        "head": ("Scheme", "Acknowledges", "Lost", "Twice", "Payload"),
        "ack": {
            "before": "before it is handed over",
            "on-read": "by being read",
            "after": "saves its place after it was handed over",
            "never": "never",
        },
        "payload_kind": {"str": "text", "dict": "a dict: {keys}", "batch": "a dict with a batch: {keys}"},
    },
    "zh-TW": {
        "parts": {
            "facts": "這是什麼",
            "ack": "什麼時候確認",
            "lost": "什麼會遺失、什麼會重複",
            "payload": "收到的內容",
            "parameters": "參數",
            "bench": "上觸發器試驗台",
            "measured": "實測",
        },
        "stamp": "`{package}` {version}，搭配 Airflow {airflow} 與 common-messaging {messaging}。",
        "since": "從哪一版開始",
        "since_scheme": "`{package}` {version}",
        "since_queue": "；更早的 {queue} 起只能用 `queue=`",
        "since_before": "。{before} 的 wheel 裡還沒有這個 scheme",
        "since_first": "，也就是第一個版本",
        "pulls": "。PR：{pulls}",
        "stop": "。",
        "comma": "、",
        "package": "套件",
        "provider": "佇列 provider",
        "trigger": "觸發器",
        "mro": "類別，從觸發器往上",
        "watcher": "單獨放進 `AssetWatcher`",
        "watcher_yes": "可以，它是 `BaseEventTrigger`",
        "watcher_no": "不行，它只是 `BaseTrigger`；包在 `MessageQueueTrigger` 裡就會收",
        "queue": "較舊的 `queue=`",
        "queue_yes": "可以用：`{asked}`；比對的樣式是 `{pattern}`",
        "queue_no": "一律不行：這個 provider 不認得任何 URI，請用 `scheme=`",
        "lines": {"ack": "確認", "yield": "交出", "take": "拿取", "wait": "取消時等待"},
        "lines_after": {"ack": "存下位置", "yield": "交出", "take": "拿取", "wait": "取消時等待"},
        "lines_head": "安裝的 wheel 裡，就是這幾行：",
        "seen": {
            "acknowledged": "**執行時看到的**：事件交出的那一刻，{who}已經不會再送這則訊息。",
            "place-not-saved": "**執行時看到的**：事件交出的那一刻，位置還沒有存起來。",
            "keeps-nothing": "**執行時看到的**：事件交出的那一刻，{who}已經沒有東西可以再送。",
            "waiting": "**執行時看到的**：事件交出的那一刻，{who}還會再送這則訊息。",
        },
        "switch": "設 `{set}` 的話",
        "lost": "遺失",
        "doubled": "重複",
        "burst": "一次來好幾則",
        "burst_told": "一次送出 {published} 則訊息：{events}，裡面共有{messages}。",
        "count": {"events": ("{} 個事件", "{} 個事件"), "messages": (" {} 則訊息", " {} 則訊息")},
        "care": "留意",
        "payload_head": '送出 `{sent}` 之後的 `event.extra["payload"]`，在{on}上執行所得。`…` 代表每次都不同的值。',
        "on": {
            "kafka": "真的 Apache Kafka ",
            "redis": "真的 Redis ",
            "moto": " AWS 的替身 moto ",
            "mock": " librdkafka 的 Kafka 模擬叢集",
            "answers-google": "事先準備好的回答",
            "answers-azure": "事先準備好的回答",
            "answers-ibm": "事先準備好的回答",
        },
        "who": {"kafka": "代理", "redis": " Redis ", "moto": " moto ", "answers": "替身"},
        "answers": {
            "answers-google": (
                "**沒有問過 Google Cloud**。觸發器、hook 與 Google 的 client 都是真的；"
                "client 以 gRPC 連到這台電腦上的小伺服器，它的回答是我們事先準備的。"
            ),
            "answers-azure": (
                "**沒有問過 Azure**。觸發器、hook 與 Azure client 的訊息物件都是真的；"
                "換掉的是 client 的連線，它的回答是我們事先準備的。"
            ),
            "answers-ibm": (
                "**沒有問過任何佇列管理員**。觸發器、hook 與 IBM 的 Python 類別都是真的；換掉的是底下 IBM 的 C 函式庫，"
                "它的回答是我們事先準備的。"
            ),
        },
        "required": "必填",
        "default": "預設",
        "bench_head": "{signs}。{kind}。在{on}上檢查；每項檢查的意思，請看{link}。",
        "bench_link": "觸發器試驗台",
        "bench_all": "✓ 全部通過",
        "kind": {"long-running": "長時間執行", "yield-and-return": "送出就結束"},
        "measured_told": (
            "不遺失的前提下，撐得住**每秒 {sustained} 個事件**；"
            "負載減半時，事件的中位數延遲是 {delay} 秒。量法請看{link}。"
        ),
        "measured_link": "實測數字那一頁",
        "measured_none": "沒有量。",
        "measured_yet": "還沒有紀錄：`./lab bench brokers --record` 會量這一種。",
        "head": ("scheme", "確認的時機", "遺失", "重複", "內容"),
        "ack": {
            "before": "交出之前",
            "on-read": "讀了就算",
            "after": "交出之後才存位置",
            "never": "從不確認",
        },
        "payload_kind": {"str": "文字", "dict": "字典：{keys}", "batch": "字典，裡面是一批：{keys}"},
    },
}


class _FromPassports(SphinxDirective):
    """What all three share: the data, and Markdown that is parsed where it stands."""

    def load(self) -> list[Passport]:
        """Read the passports, and have the page made anew when they change."""
        for file in (passport_data.JUDGEMENTS, *passport_data.FOLDER.glob("*.json"), passport_data.NUMBERS):
            self.env.note_dependency(str(file))
        try:
            return passport_data.load()
        except PassportError as error:
            raise self.error(str(error)) from error

    @property
    def words(self) -> dict[str, Any]:
        """The words of the page's language."""
        return WORDS[self.config.book_lang]

    def markdown(self, *lines: str) -> list[nodes.Node]:
        """Parse lines of Markdown."""
        box = nodes.container()
        self.state.nested_parse(StringList(list(lines), source=passport_data.JUDGEMENTS.name), self.content_offset, box)
        return list(box.children)


class PassportPage(_FromPassports):
    """Everything on one scheme."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a line on what it was made from, and the sections."""
        found = {one.name: one for one in self.load()}
        if self.arguments[0] not in found:
            raise self.error(f"There is no scheme {self.arguments[0]}. There are: {', '.join(found)}.")
        one = found[self.arguments[0]]
        out = self.markdown(self.words["stamp"].format(**one.wheel), "", *self._answers(one))
        parts = {
            "facts": self._facts,
            "ack": self._ack,
            "lost": self._lost,
            "payload": self._payload,
            "bench": self._bench,
            "measured": self._measured,
            "parameters": self._parameters,
        }
        for name, make in parts.items():
            anchor = f"passport-{one.page}-{name}"
            part = nodes.section("", nodes.title("", self.words["parts"][name]), ids=[anchor], names=[anchor])
            self.state.document.note_explicit_target(part)
            part += make(one)
            out.append(part)
        return out

    def _answers(self, one: Passport) -> list[str]:
        told = self.words["answers"].get(one.run["on"])
        return [told] if told else []

    def _list(self, rows: list[tuple[str, str]], kind: str) -> list[nodes.Node]:
        lines = [line for term, told in rows for line in (term, f": {told}", "")]
        out = self.markdown(*lines)
        for node in out:
            if isinstance(node, nodes.definition_list):
                node["classes"].append(kind)
        return out

    def _facts(self, one: Passport) -> list[nodes.Node]:
        words, wheel = self.words, one.wheel
        queue = wheel["queue"]
        rows = [
            (words["package"], f"`{wheel['package']}`"),
            (words["since"], self._since(one)),
            (words["provider"], f"`{wheel['provider']}`"),
            (words["trigger"], f"`{wheel['trigger']}`"),
            (words["mro"], " → ".join(f"`{each.rpartition('.')[2]}`" for each in wheel["mro"])),
            (words["watcher"], words["watcher_yes" if wheel["event_trigger"] else "watcher_no"] + words["stop"]),
            (words["queue"], words["queue_yes" if queue["accepted"] else "queue_no"].format(**queue) + words["stop"]),
        ]
        return self._list(rows, "passport-facts")

    def _since(self, one: Passport) -> str:
        words, since = self.words, one.since
        told = words["since_scheme"].format(package=one.wheel["package"], version=since["version"])
        told += words["since_queue"].format(queue=since["queue"]) if "queue" in since else ""
        told += words["since_before"].format(**since) if "before" in since else words["since_first"]
        pulls = words["comma"].join(PULL.format(pull, pull[1:]) for pull in since["pull"])
        return str(told + words["pulls"].format(pulls=pulls) + words["stop"])

    def _ack(self, one: Passport) -> list[nodes.Node]:
        words = self.words
        lang = self.config.book_lang
        names = words["lines_after" if one.ack == "after" else "lines"]
        out = self.markdown(one.texts["moment"][lang], "", words["lines_head"])
        lines = [f"{names[line['what']]}\n: `{line['code']}`\n\n  {self._place(line)}\n" for line in one.wheel["lines"]]
        listed = self.markdown(*"\n".join(lines).splitlines())
        for node in listed:
            if isinstance(node, nodes.definition_list):
                node["classes"].append("passport-lines")
        out += listed
        on = one.run["on"]
        who = words["who"]["answers" if on.startswith("answers") else on]
        out += self.markdown(words["seen"][one.run["handover"]].format(who=who))
        if switched := one.run.get("switched"):
            ((name, value),) = switched["set"].items()
            seen = words["seen"][switched["handover"]].format(who=who)
            term = words["switch"].format(set=f"{name}={value}")
            out += self._list([(term, f"{one.texts['switched'][lang]} {seen}")], "passport-facts")
        return out

    def _place(self, line: dict[str, Any]) -> str:
        name = line["file"].rpartition("/")[2]
        return f"`{line['function']}`{self.words['comma']}`{name}:{line['line']}`"

    def _lost(self, one: Passport) -> list[nodes.Node]:
        words, lang = self.words, self.config.book_lang
        burst = dict(one.run["burst"])
        burst |= {name: forms[burst[name] != 1].format(burst[name]) for name, forms in words["count"].items()}
        rows = [(words[name], one.texts[name][lang]) for name in ("lost", "doubled")]
        rows += [
            (words["burst"], words["burst_told"].format(**burst)),
            (words["care"], one.texts["care"][lang]),
        ]
        return self._list(rows, "passport-facts")

    def _payload(self, one: Passport) -> list[nodes.Node]:
        sent = '{"order": 0, "tea": "oolong"}'
        on = self.words["on"][one.run["on"]]
        head = self.markdown(self.words["payload_head"].format(sent=sent, on=on))
        text = json.dumps(one.run["payload"], indent=2, ensure_ascii=False)
        return [*head, nodes.literal_block(text, text, language="json")]

    def _bench(self, one: Passport) -> list[nodes.Node]:
        words, bench = self.words, one.run["bench"]
        signs = [f"✗&nbsp;`{check}`" for check in bench["failed"]] + [f"–&nbsp;`{check}`" for check in bench["open"]]
        told = {
            "signs": " · ".join(signs) or words["bench_all"],
            "kind": words["kind"][bench["kind"]],
            "on": words["on"][bench["on"]],
            "link": f"{{ref}}`{words['bench_link']} <trigger-bench-checks>`",
        }
        return self.markdown(words["bench_head"].format(**told))

    def _measured(self, one: Passport) -> list[nodes.Node]:
        words = self.words
        try:
            found = passport_data.numbers(one)
        except PassportError as error:
            raise self.error(str(error)) from error
        if found is None:
            return self.markdown(words["measured_yet" if one.measured else "measured_none"])
        link = words["measured_link"]
        if NUMBERS_PAGE in self.env.found_docs:
            link = f"{{doc}}`{link} </{NUMBERS_PAGE}>`"
        rounded = {name: f"{value:.2g}" if value < 100 else f"{value:,.0f}" for name, value in found.items()}
        return self.markdown(words["measured_told"].format(**rounded, link=link))

    def _parameters(self, one: Passport) -> list[nodes.Node]:
        """Each with its type and default, and the wheel's own words, which are English."""
        words = self.words
        listed = nodes.definition_list(classes=["passport-parameters"])
        for each in one.wheel["parameters"]:
            term = nodes.term("", "", nodes.literal("", each["name"]))
            if each["type"]:
                term += [nodes.Text(" "), nodes.inline("", each["type"], classes=["passport-type"])]
            term += nodes.Text(" · ")
            if each["required"]:
                term += nodes.strong("", words["required"])
            else:
                term += [nodes.Text(words["default"] + " "), nodes.literal("", each["default"])]
            body = nodes.definition("")
            if each["doc"]:
                body += nodes.paragraph("", "", *_code_spans(each["doc"]), classes=["language-en"])
            listed += nodes.definition_list_item("", term, body)
        return [listed]


def _code_spans(text: str) -> list[nodes.Node]:
    """Return text with what stands in backticks as code."""
    out: list[nodes.Node] = []
    for number, piece in enumerate(re.split(r"`([^`]*)`", text)):
        if piece:
            out.append(nodes.literal("", piece) if number % 2 else nodes.Text(piece))
    return out


class PassportTable(_FromPassports):
    """All schemes side by side; it takes no argument and has no body."""

    def run(self) -> list[nodes.Node]:
        """Return the table; each cell carries its column's name for those who see a card instead."""
        head = self.words["head"]
        group = nodes.tgroup("", cols=len(head))
        group += [nodes.colspec("", colwidth=width) for width in (18, 18, 26, 22, 16)]
        titles = nodes.row("", *(nodes.entry("", nodes.paragraph("", title)) for title in head))
        group += nodes.thead("", titles)
        body = nodes.tbody("")
        for one in self.load():
            row = nodes.row("")
            for title, cell in zip(head, self._cells(one), strict=True):
                label = nodes.inline("", title, classes=["cell-label"])
                row += nodes.entry("", nodes.paragraph("", "", label, *cell))
            body += row
        group += body
        return [nodes.table("", group, classes=["passport-table", "colwidths-given"])]

    def _cells(self, one: Passport) -> list[list[nodes.Node]]:
        lang = self.config.book_lang
        ref = pending_xref(
            "", nodes.literal("", one.name), refdomain="std", reftype="doc", reftarget=f"/passports/{one.page}"
        )
        ref["refdoc"], ref["refexplicit"], ref["refwarn"] = self.env.docname, True, True
        texts = [self._inline(one.texts[name][lang]) for name in ("lost", "doubled")]
        return [[ref], [nodes.Text(self.words["ack"][one.ack])], *texts, self._inline(self._kind(one.run["payload"]))]

    def _inline(self, text: str) -> list[nodes.Node]:
        inline, messages = self.parse_inline(text)
        return [*inline, *messages]

    def _kind(self, payload: Any) -> str:
        kinds = self.words["payload_kind"]
        if isinstance(payload, str):
            return str(kinds["str"])
        keys = self.words["comma"].join(f"`{name}`" for name in payload)
        batch = any(isinstance(value, list) for value in payload.values())
        return str(kinds["batch" if batch else "dict"].format(keys=keys))


class PassportMoments(_FromPassports):
    """The drawing of when each scheme acknowledges; the body is its caption."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw it from the passports."""
        svg = passport_picture.draw(self.load(), self.config.book_lang)
        figure = nodes.figure("", nodes.raw("", svg, format="html"), classes=["drawing"])
        if self.content:
            text, messages = self.parse_inline(" ".join(self.content))
            figure += [nodes.caption("", "", *text), *messages]
        self.set_source_info(figure)
        return [figure]


def read_again(
    app: Sphinx, env: BuildEnvironment, _added: set[str], _changed: set[str], _removed: set[str]
) -> list[str]:
    """Read the pages anew at each build: numbers come and go."""
    return [page for page in env.all_docs if page.startswith("passports/") and page in env.found_docs]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("passport", PassportPage)
    app.add_directive("passport-table", PassportTable)
    app.add_directive("passport-moments", PassportMoments)
    app.connect("env-get-outdated", read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
