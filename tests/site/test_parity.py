"""The two trees are one course; and the checker that says so notices what it should."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import parity
import pytest

if TYPE_CHECKING:
    from pathlib import Path

EN = """\
---
description: A page.
minutes: 10
---

(intro)=
# Title

Text.

::::{predict}
What?

:::{answer}
That.
:::
::::

(code)=
## Code

```{code-cell} ipython3
# A comment.
x = 1
```

```bash
./lab start
```

:::{drawing} life
The caption.
:::
"""
ZH = """\
---
description: 一頁。
minutes: 10
---

(intro)=
# 標題

文字。

::::{predict}
什麼？

:::{answer}
那個。
:::
::::

(code)=
## 程式

```{code-cell} ipython3
# 註解。
x = 1
```

```bash
./lab start
```

:::{drawing} life
圖說。
:::
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one page, in order."""
    for lang, text in (("en", EN), ("zh-TW", ZH)):
        (tmp_path / lang).mkdir()
        (tmp_path / lang / "page.md").write_text(text, encoding="utf-8")
    figures = tmp_path / "_static" / "figures"
    figures.mkdir(parents=True)
    for lang in parity.LANGUAGES:
        (figures / f"life.{lang}.svg").touch()
    parity.looked(tmp_path, ["page"])
    return tmp_path


def edit(book: Path, old: str, new: str, lang: str = "zh-TW") -> None:
    """Inject a defect."""
    file = book / lang / "page.md"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_same_shape_in_both_languages() -> None:
    """Pages, labels, heading levels, directives, figures and code are the same."""
    assert not (defects := parity.shape_defects(parity.BOOK)), "\n".join(defects)


def test_every_section_was_looked_at_in_both_languages() -> None:
    """Nobody changed a section in one language and forgot the other."""
    advice = "\n".join(parity.advice(parity.stale_sections(parity.BOOK)))
    assert not advice, advice


def test_checker_accepts_a_book_in_order(book: Path) -> None:
    assert parity.shape_defects(book) == []
    assert parity.stale_sections(book) == {}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("x = 1", "x = 2", "+x = 2"),
        ("(code)=", "(kode)=", "+## (kode)"),
        ("## 程式", "### 程式", "+### (code)"),
        ("(code)=\n", "", "has no (label)="),
        ("(code)=", "(intro)=", "twice"),
        (":::{drawing} life", ":::{drawing} death", "+{drawing} death"),
        (":::{answer}\n那個。\n:::\n", "", "-{answer}"),
        ("minutes: 10", "minutes: 12", "+minutes: 12"),
        ("./lab start", "./lab stop", "+./lab stop"),
        ("::::{predict}", "::::{note}", "+{note}"),
    ],
)
def test_checker_tells_a_difference_in_shape(book: Path, old: str, new: str, told: str) -> None:
    edit(book, old, new)
    assert told in "\n".join(parity.shape_defects(book))


@pytest.mark.parametrize(
    ("old", "new"), [("# 註解。", "# 別的註解。"), ("圖說。", "別的圖說。"), ("一頁。", "另一頁。")]
)
def test_checker_leaves_the_words_alone(book: Path, old: str, new: str) -> None:
    edit(book, old, new)
    assert parity.shape_defects(book) == []


def test_checker_tells_a_missing_page(book: Path) -> None:
    shutil.copy(book / "en" / "page.md", book / "en" / "other.md")
    assert parity.shape_defects(book) == ["other.md is only in en"]


def test_checker_tells_a_missing_figure(book: Path) -> None:
    (book / "_static" / "figures" / "life.zh-TW.svg").unlink()
    assert parity.shape_defects(book) == ["the figure life is not there in both languages"]


@pytest.mark.parametrize(("lang", "old", "new"), [("zh-TW", "文字。", "新的文字。"), ("en", "Text.", "New text.")])
def test_one_sided_change_names_the_section_and_the_command(book: Path, lang: str, old: str, new: str) -> None:
    edit(book, old, new, lang)
    told = "\n".join(parity.advice(parity.stale_sections(book)))
    assert f"page#intro: changed in {lang} only" in told
    assert "parity.py looked 'page#intro'" in told
    parity.looked(book, ["page#intro"])
    assert parity.stale_sections(book) == {}


def test_looking_at_one_section_is_not_looking_at_another(book: Path) -> None:
    edit(book, "文字。", "新的文字。")
    edit(book, "圖說。", "新的圖說。")
    parity.looked(book, ["page#code"])
    assert list(parity.stale_sections(book)) == ["page#intro"]


def test_change_in_both_languages_still_has_to_be_looked_at(book: Path) -> None:
    edit(book, "文字。", "新的文字。")
    edit(book, "Text.", "New text.", "en")
    assert parity.stale_sections(book) == {"page#intro": "changed in both"}


def test_wrapping_lines_anew_is_no_change(book: Path) -> None:
    edit(book, "# Title\n\nText.", "# Title\n\n\nText.", "en")
    assert parity.stale_sections(book) == {}


def test_section_that_is_gone_is_taken_off_the_record(book: Path) -> None:
    for lang in parity.LANGUAGES:
        edit(book, "(code)=", "(kode)=", lang)
    assert parity.stale_sections(book) == {"page#kode": "changed in both", "page#code": "gone"}
    parity.looked(book, ["page"])
    assert parity.stale_sections(book) == {}


def test_looked_at_a_place_that_is_not_there(book: Path) -> None:
    with pytest.raises(SystemExit, match="no page#kode"):
        parity.looked(book, ["page#kode"])
