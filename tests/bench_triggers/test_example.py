"""What the page `trigger-bench` shows, run: the code, and the report word for word but for its figures."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# [notebook]
from airflow.providers.standard.triggers.file import FileDeleteTrigger, FileTrigger

from labkit.bench import examine, examine_async

# [/notebook]

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.bench import Report


# [pytest]
def test_the_flag_is_seen(tmp_path: Path, trigger_bench: Callable[..., Report]) -> None:
    flag = tmp_path / "flag"
    report = trigger_bench(
        lambda: FileDeleteTrigger(str(flag), poke_interval=30),
        cause=lambda n: flag.touch(),
        events=2,
    )
    assert report.passed, str(report)
    assert report.events == (True, True)
    # [/pytest]


def look(flag: Path) -> Report:
    """Examine a trigger that was never meant for a watcher."""
    # [examine]
    return examine(
        lambda: FileTrigger(str(flag), poke_interval=30),
        cause=lambda n: flag.touch(),
    )
    # [/examine]


@pytest.mark.parametrize("lang", ["en", "zh-TW"])
def test_the_report_on_the_page_is_what_is_reported(lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_LANG", lang)
    said = str(look(tmp_path / "flag")) + "\n"
    file = Path(__file__).with_name(f"report.{lang}.txt")
    if os.environ.get("RECORD"):
        file.write_text(said, encoding="utf-8")
    assert re.sub(r"\d+", "#", said) == re.sub(r"\d+", "#", file.read_text(encoding="utf-8"))


def test_it_can_be_awaited(tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    async def cell() -> Report:
        # [await]
        report = await examine_async(lambda: FileDeleteTrigger(str(flag)), cause=lambda n: flag.touch())
        # [/await]
        return report  # noqa: RET504  the page shows the line above

    assert asyncio.run(cell()).passed
