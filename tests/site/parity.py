"""Are the two languages still the same course? Checks the trees against each other, without building them.

    python tests/site/parity.py                                  # what differs
    python tests/site/parity.py looked index chapters/03-x#intro   # "I read both languages of this"

Both languages are authored, so no tool can say whether a paragraph says the same in both. What can be told: whether the
pages have the same shape (labels, headings, directives, figures, code), and whether someone looked at the other
language after changing one. For the latter, `book/parity.toml` holds a digest of each section in each language; a
section whose digests are not those on record has changed since someone looked.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin

BOOK = Path(__file__).parents[2] / "book"
LANGUAGES = ("en", "zh-TW")
TOP = "(top)"  # what stands before a page's first heading: its front matter

OWN_FRONT_MATTER = {"description", "title", "myst"}  # differs between languages as it should
SHARED = {
    *("code-cell", "drawing", "figure", "glossary-terms", "image", "include", "literalinclude", "raw"),
    *("broker-chart", "broker-run", "broker-table", "chaos-faults", "chaos-table"),
    *("capacity-calculator", "scale-chart", "scale-list", "scale-run"),
    *("passport", "passport-moments", "passport-table"),
    *("seed-ledger", "trigger-report", "trigger-verdicts"),
}
VERBATIM = SHARED | {"code-block", "code", "math", "toctree"}  # their bodies are not Markdown
OWN_OPTIONS = {"alt", "caption", "title", "aria-label"}
OUTPUT = {
    "",
    "text",
    "console",
    "output",
}  # blocks that show what a program printed, which may be in its user's language

DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r":(?P<key>[\w-]+):\s*(?P<value>.*)")
MARKDOWN = MarkdownIt("commonmark").use(front_matter_plugin).use(colon_fence_plugin).use(myst_block_plugin)


@dataclass
class Page:
    """What the checks need to know of a page."""

    landmarks: list[str] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)  # label -> digest
    defects: list[str] = field(default_factory=list)


def read_page(text: str, lang: str) -> Page:
    """Parse one page."""
    page = Page()
    lines = text.splitlines()
    starts = [(0, TOP)]
    for line, level, label, title in _walk(text, lang, page.landmarks):
        if label:
            starts.append((line, label))
        else:
            page.defects.append(f"line {line + 1}: the heading {'#' * level} {title} has no (label)= above it")
    for (start, label), end in zip(starts, [line for line, _ in starts[1:]] + [len(lines)], strict=True):
        if label in page.sections:
            page.defects.append(f"the label {label} stands there twice")
        words = " ".join(" ".join(lines[start:end]).split())  # wrapping lines anew changes nothing
        page.sections[label] = hashlib.sha256(words.encode()).hexdigest()[:12]
    return page


def _walk(text: str, lang: str, landmarks: list[str]) -> list[tuple[int, int, str, str]]:
    """Add what is in `text` to `landmarks`; return its headings as (line, level, label, title)."""
    headings = []
    tokens = MARKDOWN.parse(text)
    target: tuple[int, str] | None = None
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        line = token.map[0] if token.map else 0
        if token.type == "myst_target":
            target = (line, token.content.strip().removeprefix("(").removesuffix(")="))
            if following is None or following.type != "heading_open":
                landmarks.append(f"({target[1]})=")
                target = None
        elif token.type == "heading_open" and following is not None:
            level = int(token.tag[1])
            at, label = target or (line, "")
            landmarks.append(f"{'#' * level} ({label})")
            headings.append((at, level, label, following.content))
            target = None
        elif token.type == "front_matter":
            matter = yaml.safe_load(token.content) or {}
            landmarks += [f"{key}: {value}" for key, value in matter.items() if key not in OWN_FRONT_MATTER]
        elif token.type in {"fence", "colon_fence"}:
            _fence(token.info.strip(), token.content, lang, landmarks)
    return headings


def _fence(info: str, content: str, lang: str, landmarks: list[str]) -> None:
    directive = DIRECTIVE.fullmatch(info)
    if directive is None:
        landmarks += [f"```{info}", *(() if info in OUTPUT else _code(content))]
        return
    name = directive["name"]
    options: dict[str, str] = {}
    body = content.splitlines()
    while body and (option := OPTION.fullmatch(body[0].strip())):
        options[option["key"]] = "" if option["key"] in OWN_OPTIONS else option["value"].replace(f".{lang}.", ".*.")
        body.pop(0)
    shown = " ".join(f":{key}: {value}".strip() for key, value in sorted(options.items()))
    argument = directive["argument"] if name in SHARED else ""
    landmarks.append(f"{{{name}}} {argument} {shown}".rstrip())
    if name == "code-cell":
        landmarks += _code("\n".join(body))
    elif name == "toctree":
        landmarks += [line.strip() for line in body if line.strip()]
    elif name not in VERBATIM:
        _walk("\n".join(body), lang, landmarks)


def _code(text: str) -> list[str]:
    """Return the lines of code without comments, which are in the page's language."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pages(book: Path, lang: str) -> dict[str, Page]:
    """Read one tree."""
    tree = book / lang
    files = (file for file in sorted(tree.rglob("*.md")) if ".ipynb_checkpoints" not in file.parts)
    return {
        file.relative_to(tree).with_suffix("").as_posix(): read_page(file.read_text(encoding="utf-8"), lang)
        for file in files
    }


def shape_defects(book: Path) -> list[str]:
    """Return where the trees differ in shape, and headings without a label."""
    trees = {lang: pages(book, lang) for lang in LANGUAGES}
    en, zh = (trees[lang] for lang in LANGUAGES)
    out = [
        f"{lang}/{name}.md: {defect}"
        for lang, tree in trees.items()
        for name, page in tree.items()
        for defect in page.defects
    ]
    out += [f"{name}.md is only in {'en' if name in en else 'zh-TW'}" for name in sorted(en.keys() ^ zh.keys())]
    for name in sorted(en.keys() & zh.keys()):
        diff = difflib.unified_diff(
            en[name].landmarks, zh[name].landmarks, f"en/{name}.md", f"zh-TW/{name}.md", "", "", 1, ""
        )
        if text := "\n".join(diff):
            out.append(f"{name}.md is not of the same shape in both languages:\n{text}")
    figures = {
        lang: {file.name.split(".")[0] for file in book.glob(f"_static/figures/*.{lang}.svg")} for lang in LANGUAGES
    }
    out += [f"the figure {name} is not there in both languages" for name in sorted(figures["en"] ^ figures["zh-TW"])]
    return out


def _digests(book: Path) -> dict[str, dict[str, list[str]]]:
    """Return page -> label -> [digest in each language]; `-` where a language lacks the section."""
    trees = [pages(book, lang) for lang in LANGUAGES]
    out: dict[str, dict[str, list[str]]] = {}
    for name in sorted({name for tree in trees for name in tree}):
        found = [tree[name].sections if name in tree else {} for tree in trees]
        labels = dict.fromkeys(label for sections in found for label in sections)
        out[name] = {label: [sections.get(label, "-") for sections in found] for label in labels}
    return out


def _record(book: Path) -> dict[str, dict[str, list[str]]]:
    file = book / "parity.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def stale_sections(book: Path) -> dict[str, str]:
    """Return the sections that changed since someone looked at both languages of them, as place -> what changed."""
    record, now = _record(book), _digests(book)
    out = {}
    for name, sections in now.items():
        for label, digests in sections.items():
            known = record.get(name, {}).get(label, ["-"] * len(LANGUAGES))
            changed = [lang for lang, new, old in zip(LANGUAGES, digests, known, strict=True) if new != old]
            if changed:
                out[f"{name}#{label}"] = f"changed in {changed[0]} only" if len(changed) == 1 else "changed in both"
    gone = {f"{name}#{label}": "gone" for name in record for label in record[name] if label not in now.get(name, {})}
    return out | gone


def advice(stale: dict[str, str]) -> list[str]:
    """Say what to do about stale sections."""
    if not stale:
        return []
    places = " ".join(f"'{place}'" for place in stale)
    return [
        *(f"{place}: {what}" for place, what in stale.items()),
        "Read each of these sections in book/en and in book/zh-TW, mend what differs, then record that you looked:",
        f"    .venv/bin/python tests/site/parity.py looked {places}",
    ]


def looked(book: Path, places: list[str]) -> None:
    """Put the digests of these pages or sections (`page` or `page#label`) on record."""
    record, now = _record(book), _digests(book)
    for place in places:
        name, _, label = place.partition("#")
        known = record.get(name, {}) | now.get(name, {})
        if not known or (label and label not in known):
            msg = f"There is no {place} in the pages or on record."
            raise SystemExit(msg)
        for each in [label] if label else known:
            if each in now.get(name, {}):
                record.setdefault(name, {})[each] = now[name][each]
            else:
                del record[name][each]
    lines = [
        "# Which sections were looked at in both languages: their digests in English and in Chinese.",
        "# Written by `.venv/bin/python tests/site/parity.py looked PAGE[#LABEL] ...`; not by hand.",
    ]
    for name in sorted(name for name, sections in record.items() if sections):
        order = [label for label in now.get(name, {}) if label in record[name]]
        lines += [
            "",
            f'["{name}"]',
            *(f'"{label}" = ["{record[name][label][0]}", "{record[name][label][1]}"]' for label in order),
        ]
    (book / "parity.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("looked", help="record that both languages were read").add_argument("places", nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "looked":
        looked(BOOK, arguments.places)
        return 0
    defects = shape_defects(BOOK) + advice(stale_sections(BOOK))
    print("\n".join(defects) or "Both languages have the same shape, and every section was looked at.")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
