"""Both languages build without a warning, and our extensions do what their docstrings say."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

import pytest

from conftest import LANGUAGES, ROOT, URL, run_sphinx

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

NOTEBOOK = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
minutes: 7
---

(book)=
# {title}

```{{code-cell}} ipython3
import os, pathlib
with pathlib.Path(os.environ["RUNS"]).open("a") as runs:
    runs.write("x")
print("six times seven is", 6 * 7)
```
"""
GOOD = """\
(good)=
# 好的頁面

觸發器
在這裡。**粗體**
之後。{term}`trigger`、{term}`監看器 <watcher>`。Airflow
與 `code`。

:::{speaker-notes}
講者才看得到。
:::

::::{selfcheck}
問題？

:::{choice} 甲
不對。
:::
:::{choice} 乙
:correct:
對。
:::
::::
"""
BAD = {
    "bad-predict": (":::{predict}\nWhat?\n:::", "needs an `answer`"),
    "bad-selfcheck": (
        "::::{selfcheck}\nWhat?\n\n:::{choice} A\nNo.\n:::\n:::{choice} B\nNo.\n:::\n::::",
        "one of them `:correct:`",
    ),
    "bad-drawing": (":::{drawing} nothing\n:::", "no drawing"),
    "bad-term": ("{term}`nonsense`", "no term of glossary.yml"),
    "bad-objectives": (":::{objectives}\n:::", "no content permitted|has no content|Content block expected"),
}


class Mini(NamedTuple):
    """The small book's site, how its builds went, and what its cells left behind."""

    site: Path
    done: dict[str, subprocess.CompletedProcess[str]]
    runs: str


class Attributes(HTMLParser):
    """Collects (tag, attribute, value)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep every attribute."""
        self.found += [(tag, name, value or "") for name, value in attrs]


def html(site: Path, lang: str, page: str) -> str:
    """Read a built page."""
    return (site / lang / f"{page}.html").read_text(encoding="utf-8")


def page_names(site: Path, lang: str) -> list[str]:
    """Return the pages of one language that have a source."""
    tree = ROOT / "book" / lang
    return [file.relative_to(tree).with_suffix("").as_posix() for file in sorted(tree.rglob("*.md"))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_builds_without_a_warning(builds: tuple[Path, dict[str, subprocess.CompletedProcess[str]]], lang: str) -> None:
    done = builds[1][lang]
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_nothing_but_the_languages_is_published(site: Path) -> None:
    """MyST-NB's outputs once lay between the two sites."""
    assert {entry.name for entry in site.iterdir()} == {"index.html", *LANGUAGES}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sitemap_lists_every_page_once(site: Path, lang: str) -> None:
    listed = re.findall(r"<loc>([^<]+)</loc>", (site / lang / "sitemap.xml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(f"{URL}/{lang}/{name}.html" for name in page_names(site, lang) if name != "404")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_names_its_twin_and_itself(site: Path, lang: str) -> None:
    for name in page_names(site, lang):
        if name == "404":
            continue
        text = html(site, lang, name)
        links = set(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', text))
        assert links == {
            *((code, f"{URL}/{code}/{name}.html") for code in LANGUAGES),
            ("x-default", f"{URL}/en/{name}.html"),
        }
        assert f'<link rel="canonical" href="{URL}/{lang}/{name}.html"' in text
        assert f'<html lang="{lang}"' in text
        assert 'name="description"' in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_404_works_at_any_address(site: Path, lang: str) -> None:
    relative = [
        value
        for tag, name, value in Attributes(html(site, lang, "404")).found
        if name in {"href", "src"} and tag != "form" and not value.startswith(("/", "#", "https://", "data:"))
    ]
    assert relative == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_markup_leaks_into_the_text(site: Path, lang: str) -> None:
    for name in page_names(site, lang):
        text = re.sub(r"<(pre|script|style|code)\b.*?</\1>", "", html(site, lang, name), flags=re.DOTALL)
        assert not (leaks := re.findall(r"\{[a-z-]+\}`?|:::+|\*\*", re.sub(r"<[^>]+>", "", text))), f"{name}: {leaks}"


def test_chinese_site_speaks_chinese(site: Path) -> None:
    """Names of controls are read aloud. `Page` is the theme's, for print only; the languages name themselves."""
    spoken = {
        value
        for name in [*page_names(site, "zh-TW"), "search"]
        for tag, attribute, value in Attributes(html(site, "zh-TW", name)).found
        if (attribute in {"title", "aria-label", "placeholder", "alt"}) and tag != "link"
    }
    english = {value for value in spoken if value and not re.search(r"[\u4e00-\u9fff]", value)}
    assert english <= {"Page", "Permalink to this heading", "永久連結"}, english
    assert any("深色" in value for value in spoken), "the theme's words are not translated"
    assert "回到顶部" not in html(site, "zh-TW", "index")


def test_search_index_has_pairs_of_characters(site: Path) -> None:
    index = (site / "zh-TW" / "searchindex.js").read_text(encoding="utf-8")
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"觸發", "發器", "監看", "kafka"} <= terms.keys()


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"BOOK_LANG": "fr"}, "BOOK_LANG must be one of en, zh-TW; it is 'fr'"),
        ({"BOOK_EXECUTE": "yes"}, "BOOK_EXECUTE must be one of off, cache"),
        ({"BOOK_EXECUTE": "cache"}, "BOOK_EXECUTE=cache needs BOOK_CACHE"),
        ({"BOOK_STAMP": "today"}, "BOOK_STAMP is no JSON object"),
        ({"BOOK_STAMP": '{"date": "2026-11-23"}'}, "BOOK_STAMP lacks airflow, cores, machine"),
    ],
)
def test_wrong_setting_is_told(tmp_path: Path, env: dict[str, str], told: str) -> None:
    done = run_sphinx(ROOT / "book", tmp_path, "en", "-b", "dummy", **env)
    assert done.returncode != 0
    assert told in done.stderr


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Mini:
    """A small book of good and bad pages and a notebook that runs."""
    folder = tmp_path_factory.mktemp("mini")
    runs = folder / "runs"
    env = {
        "BOOK_EXECUTE": "cache",
        "BOOK_CACHE": str(folder / "cache"),
        "BOOK_STAMP": json.dumps({"airflow": "3.3.2", "date": "2026-11-03", "cores": 2, "machine": "x86_64"}),
        "RUNS": str(runs),
    }
    for lang in LANGUAGES:
        tree = folder / "book" / lang
        tree.mkdir(parents=True)
        names = ["notebook", "glossary", *(["good"] if lang == "zh-TW" else BAD)]
        (tree / "index.md").write_text("# Home\n\n```{toctree}\n" + "\n".join(names) + "\n```\n", encoding="utf-8")
        (tree / "notebook.md").write_text(NOTEBOOK.format(title="Lab" if lang == "en" else "實驗"), encoding="utf-8")
        (tree / "glossary.md").write_text("# Words\n\n:::{glossary-terms}\n:::\n", encoding="utf-8")
    (folder / "book" / "zh-TW" / "good.md").write_text(GOOD, encoding="utf-8")
    for name, (text, _) in BAD.items():
        (folder / "book" / "en" / f"{name}.md").write_text(f"# Bad\n\n{text}\n", encoding="utf-8")
    done = {lang: run_sphinx(folder / "book", folder / "out", lang, **env) for lang in LANGUAGES}
    return Mini(folder / "out" / "site", done, runs.read_text())


@pytest.mark.parametrize("name", BAD)
def test_mistake_in_a_page_is_told(mini: Mini, name: str) -> None:
    told = [line for line in mini[1]["en"].stderr.splitlines() if f"{name}.md" in line]
    assert re.search(BAD[name][1], "\n".join(told)), mini[1]["en"].stderr


def test_notebook_runs_once_for_both_languages(
    mini: Mini,
) -> None:
    site, done, runs = mini
    assert done["zh-TW"].stderr == ""
    assert runs == "x"
    for lang in LANGUAGES:
        assert "six times seven is 42" in html(site, lang, "notebook")
    assert {entry.name for entry in site.iterdir()} == set(LANGUAGES)


def test_only_the_pages_that_were_asked_for_are_run(mini: Mini, tmp_path: Path) -> None:
    book = mini.site.parents[1] / "book"
    env = {"BOOK_EXECUTE": "cache", "BOOK_CACHE": str(tmp_path / "cache"), "RUNS": str(tmp_path / "runs")}
    (tmp_path / "book").symlink_to(book)
    (book / "en" / "labs").mkdir()
    for name in ("one", "two"):
        (book / "en" / "labs" / f"{name}.md").write_text(NOTEBOOK.format(title=name), encoding="utf-8")
    stamp = json.dumps({"airflow": "3.3.2", "date": "2026-11-03", "cores": 2, "machine": "x86_64"})
    try:
        run_sphinx(tmp_path / "book", tmp_path, "en", BOOK_PAGES="one other", BOOK_STAMP=stamp, **env)
    finally:
        shutil.rmtree(book / "en" / "labs")
    ran = {name: "six times seven is 42" in html(tmp_path / "site", "en", f"labs/{name}") for name in ("one", "two")}
    assert ran == {"one": True, "two": False}
    assert "Run on Airflow 3.3.2" in html(tmp_path / "site", "en", "labs/one")
    assert "This build did not run the notebook" in html(tmp_path / "site", "en", "labs/two")


def test_notebook_says_where_it_ran(mini: Mini) -> None:
    site = mini[0]
    assert "About 7 minutes. Run on Airflow 3.3.2 on 3 November 2026, on 2 cores (x86_64)." in html(
        site, "en", "notebook"
    )
    assert "約 7 分鐘。輸出來自 Airflow 3.3.2，2026 年 11 月 3 日執行於 2 核心的機器（x86_64）。" in html(
        site, "zh-TW", "notebook"
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_notebook_that_did_not_run_says_so(site: Path, lang: str) -> None:
    assert '<p class="page-facts">' in (text := html(site, lang, "labs/03-asset-watchers"))
    assert "<code>./lab site</code>" in text
    assert "cell_output" not in text


def test_line_break_between_chinese_characters_is_no_space(
    mini: Mini,
) -> None:
    text = html(mini[0], "zh-TW", "good")
    assert "觸發器在這裡。" in text
    assert "粗體</strong>之後。" in text
    assert re.search(r"Airflow\s與", text), "the break between Latin and Chinese is a space, and stays"


def test_term_shows_both_languages_and_leads_to_its_row(
    mini: Mini,
) -> None:
    text = html(mini[0], "zh-TW", "good")
    links = dict(re.findall(r'<a class="course-term[^"]*" href="glossary.html#(term-\w+)" title="([^"]*)"', text))
    assert links["term-trigger"].startswith("觸發器（trigger）：")
    assert links["term-watcher"].startswith("監看器（watcher）：")
    glossary = html(mini[0], "zh-TW", "glossary")
    assert all(f'id="{anchor}"' in glossary for anchor in links)


def test_choices_fold_and_speak(mini: Mini) -> None:
    text = html(mini[0], "zh-TW", "good")
    assert '<details class="disclosure choice choice-right"><summary>乙</summary>' in text
    assert "<strong>答對了。</strong>對。" in text
    assert "<strong>不太對。</strong>不對。" in text


def test_speaker_notes_are_for_the_speaker(mini: Mini, tmp_path: Path) -> None:
    site = mini[0]
    assert "講者才看得到" not in html(site, "zh-TW", "good")
    assert "講者才看得到" not in (site / "zh-TW" / "searchindex.js").read_text(encoding="utf-8")
    book = site.parents[1] / "book"
    done = run_sphinx(book, tmp_path, "zh-TW", "-D", "lesson_speaker_notes=1")
    assert done.returncode == 0, done.stderr
    assert "講者才看得到" in html(tmp_path / "site", "zh-TW", "good")
