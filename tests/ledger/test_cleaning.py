"""What `airflow db clean` takes and what it leaves, with PostgreSQL and Airflow's own function for it (chapter 7)."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from airflow.cli.cli_parser import get_parser
from airflow.models.base import Base
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.db_cleanup import config_dict, run_cleanup
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from world import dag, watched

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

NOW = dt.timedelta()
TABLES = ["asset_event", "dag_run"]
"""What the page names. `dag_run` brings the tables that depend on it."""


def clean(age: dt.timedelta = NOW, **options: Any) -> None:
    """Run the command's function for what is older than an age; archives are not kept."""
    before = dt.datetime.now(dt.UTC) - age
    run_cleanup(clean_before_timestamp=before, confirm=False, skip_archive=True, **options)


def grown(world: World) -> None:
    """Two events with a run each, and a third that waits for the scheduler."""
    world.parse(dag("swept", watched("swept")))
    for payload in ("first", "second"):
        world.fire("swept", payload)
        world.schedule()
        world.finish("swept")
    started = sa.update(Base.metadata.tables["dag_run"]).values(start_date=sa.text("run_after"))
    ended = sa.update(Base.metadata.tables["task_instance"]).values(start_date=sa.func.now())
    with create_session() as session:
        session.execute(started)
        session.execute(ended)
    world.fire("swept", "third")


def test_events_and_runs_go_and_the_last_run_stays(world: World) -> None:
    grown(world)
    assert world.runs("swept") == [["first"], ["second"]]
    clean(table_names=TABLES)
    assert world.count("asset_event") == world.count("dagrun_asset_event") == world.count("task_instance") == 0
    assert world.runs("swept") == [[]], "of each Dag the last run stays, without its tasks and its events"


def test_what_keeps_watching_is_not_touched(world: World) -> None:
    grown(world)
    before = {name: world.rows(name) for name in ("asset", "asset_active", "asset_watcher", "trigger")}
    clean(table_names=TABLES)
    assert {name: world.rows(name) for name in before} == before
    assert not {"asset", "asset_watcher", "asset_dag_run_queue", "asset_state_store"} & config_dict.keys()


def test_an_event_that_waits_for_its_run_goes_too_and_leaves_an_empty_run(world: World) -> None:
    grown(world)
    clean(table_names=TABLES)
    assert world.count("asset_dag_run_queue") == 1
    world.schedule()
    assert world.runs("swept")[-1] == []
    assert world.count("dag_run") == 2


def test_a_watchers_trigger_goes_by_its_age_and_takes_the_watcher_along(world: World) -> None:
    world.parse(dag("old", watched("old")))
    (former,) = world.rows("trigger")
    with create_session() as session:
        session.execute(sa.update(Trigger).values(created_date=former.created_date - dt.timedelta(days=100)))
    clean(dt.timedelta(days=90))  # all tables
    assert world.count("trigger") == world.count("asset_watcher") == 0
    assert world.count("asset") == 1
    world.parse(dag("old", watched("old")))
    (latter,) = world.rows("trigger")
    assert latter.id != former.id, "the next parse brings it back, as another"


def test_a_deferred_task_goes_with_its_trigger(world: World) -> None:
    world.parse(dag("long", watched("long")))
    world.fire("long")
    world.schedule()
    with create_session() as session:
        trigger = Trigger("example.Trigger", {}, created_date=dt.datetime.now(dt.UTC) - dt.timedelta(days=100))
        session.add(trigger)
        session.flush()
        values = {"trigger_id": trigger.id, "state": TaskInstanceState.DEFERRED}
        session.execute(sa.update(TaskInstance).values(values))
    clean(dt.timedelta(days=90))
    assert (world.count("dag_run"), world.count("task_instance")) == (1, 0)


@pytest.mark.parametrize("lang", ["en", "zh-TW"])
def test_the_pages_command_takes_what_is_old_and_leaves_the_watchers(world: World, root: Path, lang: str) -> None:
    page = (root / "book" / lang / "chapters" / "07-limits-and-scale.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```bash\n(airflow db clean .*?)\n```", page, re.DOTALL)
    grown(world)
    words = shlex.split(re.sub(r"\d{4}-\d\d-\d\d", dt.datetime.now(dt.UTC).isoformat(), text.replace("\\\n", " ")))
    assert words[-1] == "--dry-run"
    before = world.rows("asset_watcher"), world.rows("trigger"), world.rows("dag")
    for last, left in (("--dry-run", 3), ("--yes", 0)):
        args = get_parser().parse_args([*words[1:-1], last])
        args.func(args)
        assert world.count("asset_event") == left
    assert (world.rows("asset_watcher"), world.rows("trigger"), world.rows("dag")) == before


@pytest.mark.parametrize("option", ["dag_ids", "exclude_dag_ids"])
def test_with_dag_ids_no_event_goes_and_nothing_fails(world: World, option: str) -> None:
    grown(world)
    named = ["swept"] if option == "dag_ids" else ["another"]
    clean(table_names=["asset_event"], **{option: named})
    assert world.count("asset_event") == 3
    with pytest.raises(RuntimeError, match="asset_event"):
        clean(table_names=["asset_event"], error_on_cleanup_failure=True, **{option: named})
