"""The bench's words, its stand-in for the state store, and the bench in other people's projects."""

from __future__ import annotations

import ast
import inspect
import json
import os
import shutil
import string
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labkit import bench
from labkit.bench import CHECKS, Finding, Report, StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(bench.__file__).parent
WORDS = tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))


def outcomes() -> Iterator[tuple[str, str]]:
    """Yield check and outcome of every finding in the bench's source, as far as they stand there as words."""
    for node in ast.walk(ast.parse((FOLDER / "examination.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "found":
            check, _, outcome = node.args
            words = [one.value for one in ast.walk(outcome) if isinstance(one, ast.Constant)]
            yield from ((ast.literal_eval(check), word) for word in words if isinstance(word, str))


def test_every_outcome_has_its_words() -> None:
    missing = {(check, outcome) for check, outcome in outcomes() if outcome not in WORDS[check]}
    assert missing == set()
    assert all("unknown" in WORDS[check] for check in set(CHECKS) - {"event-trigger", "serialises"})


def test_every_word_is_there_in_both_languages_with_the_same_facts() -> None:
    assert WORDS.keys() == {*CHECKS, "report"}
    for rows in WORDS.values():
        for name, texts in rows.items():
            assert texts.keys() == {"en", "zh-TW"}, name
            facts = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in texts.values()]
            assert facts[0] == facts[1], name


def test_the_stand_in_has_the_methods_of_airflows_store() -> None:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors as Real

    for name, method in inspect.getmembers(Real, inspect.isfunction):
        if name.startswith("_") and name != "__getitem__":
            continue
        ours = getattr(StateStore, name)
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(method), name
        theirs = inspect.signature(method).parameters
        assert len(inspect.signature(ours).parameters) == len(theirs), name
        if name != "__getitem__":
            assert list(inspect.signature(ours).parameters) == list(theirs), name


def test_the_stand_in_keeps_json_only() -> None:
    store = StateStore()
    store.set("place", {"offset": 3})
    assert store.get("place") == {"offset": 3}
    assert store["any asset"].get("nowhere", "default") == "default"
    with pytest.raises(ValueError, match="None"):
        store.set("place", None)
    with pytest.raises(TypeError):
        store.set("place", b"3")
    store.delete("nowhere")
    store.clear()
    assert store.values == {}


@pytest.fixture
def report() -> Report:
    """A report with all kinds of findings."""
    return Report(
        "pkg.Trigger<x>",
        (
            Finding("event-trigger", passed=True, outcome="yes", facts={"trigger": "T<x>"}),
            Finding("unchanged-world", passed=False, outcome="fires", facts={"events": 3, "seconds": 8, "starts": 5}),
            Finding("payload-json", passed=None, outcome="unknown"),
        ),
    )


def test_a_report_reads_in_both_languages(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "✗  unchanged-world  3 events though nothing had happened" in str(report)
    monkeypatch.setenv("LAB_LANG", "zh-TW")
    assert "什麼事都沒發生，卻送出 3 個事件" in str(report)
    assert "未通過" in str(report)


def test_a_brief_report_has_no_prose(report: Report) -> None:
    assert report.brief.splitlines()[1] == "✗  unchanged-world  events=3, seconds=8, starts=5"


def test_a_notebook_shows_a_table_that_is_safe(report: Report) -> None:
    shown = report._repr_html_()
    assert "Trigger&lt;x&gt;" in shown
    assert "<x>" not in shown
    assert "lang='zh-TW'" in shown


def test_a_finding_is_had_by_its_name(report: Report) -> None:
    assert report["unchanged-world"].passed is False
    with pytest.raises(KeyError):
        report["nothing"]


USE = """
import asyncio, pathlib
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

class Once(BaseEventTrigger):
    def __init__(self, path):
        super().__init__()
        self.path = path
    def serialize(self):
        return "test_use.Once", {"path": self.path}
    async def run(self):
        while True:
            path = pathlib.Path(self.path)
            if await asyncio.to_thread(path.exists):
                await asyncio.to_thread(path.unlink)
                yield TriggerEvent("seen")
            await asyncio.sleep(30)

def test_it(tmp_path, trigger_bench):
    report = trigger_bench(lambda: Once(str(tmp_path / "flag")), cause=lambda n: (tmp_path / "flag").touch(), events=2)
    assert report.passed, report
    assert report.events == ("seen", "seen")
"""


def test_the_folder_works_in_another_project_under_another_name(tmp_path: Path) -> None:
    copy = tmp_path / "project" / "checks" / "watchbench"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__", "verdicts.toml"))
    (copy.parents[1] / "conftest.py").write_text('pytest_plugins = ["checks.watchbench.plugin"]\n', encoding="utf-8")
    (copy.parents[1] / "test_use.py").write_text(USE, encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    outcome = subprocess.run(command, cwd=copy.parents[1], env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in outcome.stdout, outcome.stdout + outcome.stderr
    assert list(home.iterdir()) == [], "nothing is written into the user's home"


def test_it_is_a_plugin_by_option_too(tmp_path: Path) -> None:
    (tmp_path / "test_use.py").write_text(USE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parents[1])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "labkit.bench.plugin"]
    outcome = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in outcome.stdout, outcome.stdout + outcome.stderr


def test_verdicts_are_readable_as_data() -> None:
    record = tomllib.loads((FOLDER / "verdicts.toml").read_text(encoding="utf-8"))
    assert json.dumps(record)
    for one in record["trigger"]:
        assert {*one["failed"], *one["open"]} <= set(CHECKS)
        assert one["note"].keys() == {"en", "zh-TW"}
