"""What the bench found: one finding a check, in both languages."""

from __future__ import annotations

import functools
import html
import os
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKS = (
    "event-trigger",
    "serialises",
    "hash-stable",
    "yields",
    "raises-nothing",
    "payload-json",
    "loop-free",
    "unchanged-world",
    "cancels",
    "leaves-nothing",
)
"""The names of the checks, in the order of the report. They are stable: tests and verdicts refer to them."""

LANGUAGES = ("en", "zh-TW")
_MARKS = {True: "✓", False: "✗", None: "–"}


@functools.cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def language() -> str:
    """Return the language of this process: LAB_LANG, or what the locale says; English if it says nothing."""
    names = ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh-TW" if chosen.lower().startswith("zh") else "en"


@dataclass(frozen=True)
class Finding:
    """What one check came to.

    Attributes:
        check: Which, one of `CHECKS`.
        passed: None where it could not be told, for want of an event for example.
        outcome: Which of the check's outcomes, by its name in `words.toml`.
        facts: What was counted and measured.
    """

    check: str
    passed: bool | None
    outcome: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by language."""
        texts = _words()[self.check][self.outcome]
        return {name: texts[name].format(**self.facts) for name in LANGUAGES}

    @property
    def reason(self) -> str:
        """Why, in the language of this process."""
        return self.reasons[language()]

    @property
    def mark(self) -> str:
        """One sign for it."""
        return _MARKS[self.passed]

    @property
    def told(self) -> str:
        """The facts without a word of prose."""
        return ", ".join(f"{name}={value}" for name, value in self.facts.items())


@dataclass(frozen=True)
class Report:
    """All findings about one trigger.

    Attributes:
        trigger: The trigger's classpath.
        findings: One for each of `CHECKS`, in that order.
        events: The payloads that its causes brought, in order.
        kind: `long-running` where `run()` goes on after an event, `yield-and-return` where it ends, None where no
            event was seen. Neither is wrong; the second gives one event in about 2 s at most.
        state: What the trigger has put into its `asset_state_store`.
        seconds: The real time that the bench took.
        saved: The time that its clock jumped over.
    """

    trigger: str
    findings: tuple[Finding, ...]
    events: tuple[Any, ...] = ()
    kind: str | None = None
    state: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    saved: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no check failed and each of them could be told."""
        return all(finding.passed for finding in self.findings)

    @property
    def verdicts(self) -> dict[str, bool | None]:
        """Check → passed."""
        return {finding.check: finding.passed for finding in self.findings}

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings of checks that failed."""
        return tuple(finding for finding in self.findings if finding.passed is False)

    def __getitem__(self, check: str) -> Finding:
        """The finding of a check.

        Raises:
            KeyError: There is no check of that name.
        """
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(check)

    @property
    def brief(self) -> str:
        """The findings as a table without prose: it reads the same in each language."""
        rows = [[finding.mark, finding.check, finding.told] for finding in self.findings]
        return _table([*rows, ["·", "kind", self.kind or "?"]])

    def __str__(self) -> str:
        words = _words()["report"]
        rows = [[finding.mark, finding.check, finding.reason] for finding in self.findings]
        rows.append(["·", "kind", words[self.kind or "unknown"][language()]])
        told = words["passed" if self.passed else "failed" if self.failed else "open"][language()]
        return f"{self.trigger}: {told}\n{_table(rows)}"

    def _repr_html_(self) -> str:
        """The table for notebooks: both languages are in it, and the page's own language shows one of them."""
        words = _words()["report"]
        rows = [(finding.mark, finding.check, finding.reasons) for finding in self.findings]
        rows.append(("·", "kind", words[self.kind or "unknown"]))
        body = "".join(
            f"<tr><td>{mark}</td><td><code>{check}</code></td><td style='text-align:left'>"
            + "".join(f"<span lang='{name}'>{html.escape(texts[name])}</span>" for name in LANGUAGES)
            + "</td></tr>"
            for mark, check, texts in rows
        )
        other = "en" if language() == "zh-TW" else "zh-TW"
        style = (
            f".trigger-bench [lang={other}]{{display:none}}"
            "html[lang|=zh] .trigger-bench [lang=en],html[lang|=en] .trigger-bench [lang=zh-TW]{display:none}"
            "html[lang|=zh] .trigger-bench [lang=zh-TW],html[lang|=en] .trigger-bench [lang=en]{display:inline}"
        )
        caption = f"<caption><code>{html.escape(self.trigger)}</code></caption>"
        return f"<style>{style}</style><table class='trigger-bench'>{caption}{body}</table>"


def _table(rows: list[list[str]]) -> str:
    """Set rows in columns; Chinese characters are two columns wide."""
    widths = [max(_width(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        "  ".join(
            [*(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)), row[2]]
        ).rstrip()
        for row in rows
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
