"""Chapter 7 and the installed Airflow: the lines and settings that it names, and what it says of planned loads."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest
import yaml

import scale_chart
import scale_numbers
from conftest import LANGUAGES, ROOT
from labkit import plan

PAGE = "chapters/07-limits-and-scale"
WHEELS = Path(sysconfig.get_paths()["purelib"])
LINES = {
    "airflow/jobs/triggerer_job_runner.py": {
        697: "def run_once",
        702: "_service_subprocess(1)",
        709: "emit_metrics",
        718: "runner_health_check_threshold",
        819: "triggerer.capacity_left",
        1557: "blocked_main_thread",
        1558: "ainfo(",
        1566: "triggers.blocked_main_thread",
    },
    "airflow/sdk/execution_time/supervisor.py": {1170: "selector.select("},
    "airflow/dag_processing/collection.py": {1046: "def add_asset_trigger_references", 1122: "Trigger("},
    "airflow/models/trigger.py": {
        394: "if capacity <= 0",
        402: "alive_triggerer_ids",
        451: "queries = [",
        466: "not_in(alive_triggerer_ids)",
        479: "max_trigger_to_select_per_loop",
        484: "if queues",
        487: "queue.is_(None)",
    },
    "airflow/models/asset.py": {176: "ForeignKeyConstraint(", 180: "CASCADE", 793: "CASCADE", 794: "CASCADE"},
    "airflow/jobs/scheduler_job_runner.py": {1874: "time.sleep("},
    "airflow/jobs/job.py": {405: "seconds_remaining"},
    "airflow/cli/commands/triggerer_command.py": {79: "queues_enabled"},
    "airflow/utils/db_cleanup.py": {
        149: "config_list",
        158: "dag_run",
        167: 'table_name="asset_event", recency_column_name="timestamp", dag_id_column_name="dag_id"',
        229: "trigger",
        602: "except (OperationalError, ProgrammingError)",
    },
}
"""What stands at the lines that the chapter names."""
DEFAULTS = {
    "triggerer": {
        "capacity": "1000",
        "job_heartbeat_sec": "5",
        "triggerer_health_check_threshold": "30",
        "runner_health_check_threshold": "30",
        "blocked_main_thread_warning_threshold": "0.2",
        "max_trigger_to_select_per_loop": "50",
    },
    "dag_processor": {"min_file_process_interval": "30"},
    "core": {"num_dag_runs_to_retain_rendered_fields": "30"},
}
"""Airflow's own settings that it names."""
FIRST = {
    "laptop": ("turn", True),
    "turn": ("turn", False),
    "stays": (None, True),
    "streams": ("persist", False),
    "batch": (None, True),
    "batches": (None, True),
    "firehose": ("turn", False),
    "front": (None, True),
}
"""What the chapter says of each planned load: its first limit, where it names one, and whether it is kept."""


def text(lang: str) -> str:
    """Return the chapter's source."""
    return (ROOT / "book" / lang / f"{PAGE}.md").read_text(encoding="utf-8")


def test_the_lines_that_the_chapter_names_say_what_it_says() -> None:
    for file, lines in LINES.items():
        source = (WHEELS / file).read_text(encoding="utf-8").splitlines()
        for number, words in lines.items():
            assert words in source[number - 1], f"{file}:{number}"
    kafka = (WHEELS / "airflow/providers/apache/kafka/triggers/await_message.py").read_text(encoding="utf-8")
    assert kafka.index("                continue") < kafka.index("asyncio.sleep(self.poll_interval)")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_line_that_the_chapter_names_is_looked_up(lang: str) -> None:
    named = {
        (found[1], int(number))
        for line in text(lang).splitlines()
        if line.startswith("- `airflow/")
        for part in re.split(r"[;；] ?(?=`airflow/)", line)
        if (found := re.search(r"`(airflow/[\w/]+\.py)`", part))
        for number in re.findall(r"(?:lines?|第|to|到|;|；) (\d{2,4})\b", part)
    }
    assert named
    assert named <= {(file, number) for file, lines in LINES.items() for number in lines}


def test_the_settings_that_it_names_have_these_defaults() -> None:
    known = yaml.safe_load((WHEELS / "airflow/config_templates/config.yml").read_text(encoding="utf-8"))
    for section, values in DEFAULTS.items():
        for name, value in values.items():
            assert known[section]["options"][name]["default"] == value, name


def test_the_messages_that_it_quotes_are_airflows() -> None:
    full = (WHEELS / "airflow/models/trigger.py").read_text(encoding="utf-8")
    assert "has reached the maximum capacity triggers assigned (%d). Not assigning any more triggers" in full
    blocked = (WHEELS / "airflow/jobs/triggerer_job_runner.py").read_text(encoding="utf-8")
    pieces = re.findall(r'"(Triggerer\'s async.*?)"\n\s+"(.*?)"\n\s+"(.*?)"\n\s+"(.*?)"', blocked)
    (told,) = {"".join(each) % (5.02, 0.2) for each in pieces}
    for lang in LANGUAGES:
        assert told in text(lang)


def test_each_planned_load_stays_or_breaks_as_the_chapter_says() -> None:
    constants = plan.Constants.of(scale_chart.load())
    assert FIRST.keys() == scale_numbers.SIZES.keys()
    for name, (limit, kept) in FIRST.items():
        told = plan.foresee(plan.Asked(**scale_numbers.SIZES[name]), constants)
        assert told.keeps_up == kept, (name, told.limit, told.loads)
        assert limit in {None, told.limit}, (name, told.limit)


def test_what_is_read_out_of_the_tables_is_in_them() -> None:
    known = scale_chart.facts(scale_chart.load())
    for lang in LANGUAGES:
        assert set(re.findall(r"\{scale\}`([^`]+)`", text(lang))) <= known.keys()
    for family in ("file", "directory"):
        slow, fast = (known[f"rest.{family}.200.{interval}.statements"] for interval in (60, 1))
        assert abs(slow - fast) < 0.1 * slow, "the interval does not matter to the database"
        assert slow > 1.3 * known["rest.file.0.60.statements"], "the number of watched assets does"
    assert known["rest.directory.200.1.cpu"] < known["rest.file.200.1.cpu"] / 2
    assert known["rest.sqs.10.1.cpu"] > known["rest.file.200.1.cpu"]
    assert known["sqs.fast"] > 3 * known["sqs.slow"]
    assert known["failing.triggerer"] > 3 * known["sqs.slow"]
    assert 20 < known["takeover.killed"] < 35
    assert known["takeover.stopped"] < 10 < known["takeover.alone"] < 35
    assert 1 < 100 * known["seconds.event"] / 1000 < 10, "a hundred events: some seconds"
