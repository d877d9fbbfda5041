"""The words of the pages: spacing, script, terms, spelling; and that the checks can fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import language
import pytest

BOOK = language.ROOT / "book"
ZH_PAGES = sorted((BOOK / "zh-TW").rglob("*.md"))
PAGES = ZH_PAGES + sorted((BOOK / "en").rglob("*.md"))
ZH_FIGURES = sorted(BOOK.glob("_static/figures/*.zh-TW.svg"))
LABS = sorted(language.ROOT.glob("labs/*/lab.toml"))
# Read as files: importing Airflow for its translations would start Airflow.
LOCALES = Path(sysconfig.get_path("purelib")) / "airflow" / "ui" / "dist" / "i18n" / "locales" / "zh-TW"


def name(path: Path) -> str:
    """Name a test case after its file."""
    return path.relative_to(language.ROOT).as_posix()


def report(defects: list[str]) -> None:
    """Fail with one defect a line."""
    assert not defects, "\n".join(defects)


@pytest.mark.parametrize("page", ZH_PAGES, ids=name)
def test_chinese_spacing_and_punctuation(page: Path) -> None:
    report(language.spacing_defects(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", ZH_PAGES + ZH_FIGURES, ids=name)
def test_chinese_is_taiwans(page: Path) -> None:
    report(language.chinese_defects(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("lab", LABS, ids=name)
def test_chinese_of_the_labs_is_taiwans(lab: Path) -> None:
    texts = list(language.chinese_values(tomllib.loads(lab.read_text(encoding="utf-8"))))
    assert texts
    report([defect for text in texts for defect in language.chinese_defects(text) + language.spacing_defects(text)])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_dag_is_not_shouted(page: Path) -> None:
    report(language.spelling_of_dag(page.read_text(encoding="utf-8")))


def test_english_spelling() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", BOOK / "en", BOOK / "_ext", BOOK / "ledger.toml", language.GLOSSARY],
        capture_output=True,
        text=True,
        check=False,
        cwd=language.ROOT,  # where its configuration is
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_glossary_rows_are_whole() -> None:
    terms = language.glossary()["terms"]
    for key in ("id", "en"):
        assert len({term[key] for term in terms}) == len(terms), f"two terms share their {key}"
    for term in terms:
        assert set(term["meaning"]) == {"en", "zh-TW"}, term["id"]
        report(language.chinese_defects(term["meaning"]["zh-TW"]) + language.spacing_defects(term["meaning"]["zh-TW"]))
        report(language.spelling_of_dag(term["meaning"]["en"]))


def test_no_term_is_banned_by_another() -> None:
    wanted = [term["zh"] for term in language.glossary()["terms"]]
    clashes = [(bad, good) for bad in language.unwanted() for good in wanted if bad in good]
    assert not clashes


@pytest.mark.parametrize("term", [t for t in language.glossary()["terms"] if "ui" in t], ids=lambda term: term["id"])
def test_glossary_says_what_airflows_interface_says(term: dict[str, Any]) -> None:
    """The page and the screen must use one word; this fails when an Airflow release changes its translation."""
    ui = term["ui"]
    shown = json.loads((LOCALES / f"{ui['file']}.json").read_text(encoding="utf-8"))
    for part in ui["key"].split(".") if ui["key"] not in shown else [ui["key"]]:
        shown = shown[part]
    assert shown == ui["string"], "Airflow's interface has another word now"
    assert ui["string"] == term["zh"], "the course does not use the interface's word"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("觸發器会等待。", "会 should be 會"),
        ("執行之后。", "后 should be 後"),
        ("看看數據庫。", "write 資料"),
        ("這個資產。", "write 資源"),
        ("觸發器,排程器。", "full-width"),
        ("觸發器(trigger)與(觸發者)。", "full-width"),
        ("他說“好”。", "「」"),
    ],
)
def test_chinese_check_can_fail(text: str, told: str) -> None:
    assert any(told in defect for defect in language.chinese_defects(text))


@pytest.mark.parametrize(
    "text",
    [
        "執行 `默認` 之後。",
        "```bash\n# 默認\n```\n",
        "[連結](https://example.org/信息)",
        "資源監看器（watcher）。",
        "台灣的皇后。",
    ],
)
def test_chinese_check_leaves_code_alone(text: str) -> None:
    assert language.chinese_defects(text) == []


def test_spacing_check_can_fail() -> None:
    assert language.spacing_defects("使用Airflow的觸發器。") != []


def test_spelling_of_dag_can_fail() -> None:
    assert language.spelling_of_dag("A DAG.\n`DAG`\n") == ["line 1: DAG: write Dag"]


def test_prose_keeps_lines() -> None:
    text = "a\n```python\nDAG\n```\nb `c` d\n"
    kept = language.prose(text)
    assert kept.count("\n") == text.count("\n")
    assert re.sub(r"\s+", " ", kept).strip() == "a b d"
