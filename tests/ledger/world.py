"""Airflow's database and what its processes do to it, one step at a time and in this process.

A Dag file is parsed when a test says so, a trigger fires when it says so, and the scheduler makes one pass when it says
so: what follows what is then no matter of timing. The functions called are those that the Dag processor, the triggerer
and the scheduler call; the database is a real PostgreSQL.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING, Any

import psycopg2
import sqlalchemy as sa
from airflow import settings
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import import_all_models
from airflow.models.asset import AssetModel
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.triggers.base import TriggerEvent
from airflow.utils.db import synchronize_log_template
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit
from airflow.utils.state import DagRunState

from labkit.stack import postgres
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUNDLE = "ledger"


@contextlib.contextmanager
def serve(run: Path) -> Iterator[None]:
    """Run a PostgreSQL with Airflow's tables in `run`."""
    postgres.create(run, empty=True)
    program = postgres.program(run)

    def answers() -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(host=str(program.folder), user="airflow", dbname="postgres").close()
            return True
        return False

    with (run / "postgres.log").open("w") as log:
        server = subprocess.Popen(program.command, cwd=program.folder, user=program.user, stdout=log, stderr=log)
        try:
            until(answers, seconds=30, pause=0.05)
            import_all_models()
            Base.metadata.create_all(settings.engine)
            synchronize_log_template()
            yield
        finally:
            settings.dispose_orm()
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def watched(name: str, *files: str) -> Asset:
    """Return an asset with a watcher for each of these files; one by default."""
    triggers = [FileDeleteTrigger(filepath=file) for file in files or (f"/{name}",)]
    return Asset(name, watchers=[AssetWatcher(name=f"watch{at}", trigger=each) for at, each in enumerate(triggers)])


def dag(dag_id: str, schedule: Any, **options: Any) -> DAG:
    """Return a Dag of one task that does nothing."""
    with DAG(dag_id, schedule=schedule, **options) as made:
        EmptyOperator(task_id="task")
    return made


class World:
    """The tables, and the steps that Airflow's processes take."""

    def __init__(self) -> None:
        with create_session() as session:
            session.add(DagBundleModel(name=BUNDLE))

    def forget(self) -> None:
        """Empty the tables: everything else hangs on these."""
        with settings.engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE asset, asset_event, dag, trigger, dag_bundle CASCADE"))

    def parse(self, *dags: DAG, file: str = "dags.py") -> None:
        """What the Dag processor does with a file after parsing it."""
        with create_session() as session:
            update_dag_parsing_results_in_db(
                bundle_name=BUNDLE,
                bundle_version=None,
                dags=[LazyDeserializedDAG.from_dag(each) for each in dags],
                import_errors={},
                parse_duration=0.1,
                warnings=set(),
                session=session,
                files_parsed={(BUNDLE, file)},
            )

    def pause(self, dag_id: str) -> None:
        """What the switch in the interface does."""
        with create_session() as session:
            session.execute(sa.update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=True))

    def fire(self, asset: str, payload: Any = "message") -> None:
        """What the triggerer does when a trigger of this asset yields."""
        with create_session() as session:
            trigger = session.scalars(sa.select(AssetModel).where(AssetModel.name == asset)).one().triggers[0].id
        Trigger.submit_event(trigger, TriggerEvent(payload))

    def schedule(self) -> None:
        """One pass of the scheduler, the part that makes Dag runs."""
        runner = SchedulerJobRunner(Job())
        with create_session() as session, prohibit_commit(session) as guard:
            runner._create_dagruns_for_dags(guard, session)

    def finish(self, dag_id: str) -> None:
        """What the scheduler does when the last task of the Dag's runs has ended."""
        runner = SchedulerJobRunner(Job())
        with create_session() as session:
            for run in session.scalars(sa.select(DagRun).where(DagRun.dag_id == dag_id)):
                run.state = DagRunState.SUCCESS
            session.flush()
            runner._set_exceeds_max_active_runs(dag_model=session.get_one(DagModel, dag_id), session=session)

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return len(self.rows(table))

    def rows(self, table: str) -> list[Any]:
        """Return a table's rows."""
        with create_session() as session:
            return list(session.execute(sa.select(Base.metadata.tables[table])))

    def runs(self, dag_id: str) -> list[list[Any]]:
        """Return what each run of a Dag consumed: the payloads of its events, oldest run first."""
        with create_session() as session:
            runs = session.scalars(sa.select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after))
            return [[event.extra["payload"] for event in run.consumed_asset_events] for run in runs]

    @contextlib.contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the SQL that is executed inside."""
        seen: list[str] = []

        def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(" ".join(statement.split()))

        sa.event.listen(settings.engine, "before_cursor_execute", keep)
        try:
            yield seen
        finally:
            sa.event.remove(settings.engine, "before_cursor_execute", keep)
