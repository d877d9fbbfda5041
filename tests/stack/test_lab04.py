"""Lab 04 beyond its notebooks: the exercise on the real system, restarting a part, what LISTEN and ids cannot do."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psycopg2
import pytest
from driver import until
from test_use import marks

from labkit import config
from labkit.airflow.api import Api
from labkit.brokers import shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from driver import Checkout

LAB = config.lab("04")
DAG = "handle_delivery"


@pytest.fixture
def awake(running: Checkout) -> Iterator[Checkout]:
    """Lab 04's solution in place, its Dag un-paused; the exercise and the pause come back afterwards."""
    running.lab("reset", "04", "--solution", "--yes")
    running.lab("restart", "triggerer")
    switch(running, paused=False)
    yield running
    running.lab("reset", "04", "--yes")
    for note in notes(running).glob("*"):
        note.unlink()
    # A triggerer that knows the solution's class would hide what is wrong with the exercise.
    running.lab("restart", "triggerer")


def switch(checkout: Checkout, *, paused: bool) -> None:
    with checkout.stack.metadata() as metadata, Api(checkout.stack.state) as api:
        until(lambda: DAG in metadata.dags(), "the Dag to be parsed", 90)
        api.set_paused(DAG, paused=paused)
        api.reparse(DAG)


def notes(checkout: Checkout) -> Any:
    folder = checkout.root / "work" / LAB.name / "deliveries"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def told(checkout: Checkout, name: str) -> int:
    """Return how many events tell of a note."""
    query = "SELECT e.extra::jsonb -> 'payload' -> 'files' AS files FROM asset_event e"
    with checkout.stack.metadata() as metadata:
        return sum(name in (row["files"] or ()) for row in metadata.rows(query))


@contextlib.contextmanager
def shop_database(checkout: Checkout) -> Iterator[Any]:
    """A connection to the shop's database."""
    shop.run(checkout.stack.state, "SELECT 1")  # makes it where it is missing
    with contextlib.closing(psycopg2.connect(**checkout.stack.state.shop_database)) as connection:
        yield connection


def test_at_first_everything_of_lab_04_is_paused_and_says_what_is_missing(running: Checkout) -> None:
    with running.stack.metadata() as metadata:
        until(lambda: set(LAB.on_demand) <= metadata.dags().keys(), "the lab's Dags", 90)
        assert all(metadata.dags()[dag]["is_paused"] for dag in LAB.on_demand)
    said = running.lab("verify", "04", "exercise-run", code=1).stdout
    assert "paused" in said


def test_a_note_is_told_once_and_the_solution_passes_both_checks(awake: Checkout) -> None:
    note = notes(awake) / f"note-{time.time_ns()}.txt"
    note.write_text("2 boxes of oolong", encoding="utf-8")
    until(lambda: told(awake, note.name), "an event for the note", 90)

    def passed() -> bool:
        return awake.lab("verify", "04", "exercise-run", code=None).returncode == 0

    until(passed, "the check of the real system", 60, 1)
    assert marks(awake.lab("verify", "04", "exercise-bench").stdout) == {"exercise-bench": True}
    # What it remembers outlives the process.
    awake.lab("restart", "triggerer")
    second = notes(awake) / f"note-{time.time_ns()}.txt"
    second.touch()
    until(lambda: told(awake, second.name), "an event for the second note", 90)
    assert told(awake, note.name) == 1


def test_the_exercise_as_it_comes_fails_on_the_bench_in_the_users_language(running: Checkout) -> None:
    said = running.lab("verify", "04", "exercise-bench", "--lang", "zh-TW", code=1).stdout
    assert "試驗台發現" in said
    for check in ("payload-json", "loop-free", "unchanged-world"):
        assert f"✗ {check}" in said


def test_a_part_is_restarted_and_works_again(running: Checkout) -> None:
    before = running.part("triggerer").pid
    running.lab("restart", "triggerer")
    after = running.part("triggerer")
    assert after.healthy
    assert after.pid != before


def test_who_reads_on_from_the_last_id_skips_a_row_that_is_committed_late(running: Checkout) -> None:
    with shop_database(running) as slow, shop_database(running) as quick, quick.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS late; CREATE TABLE late (id bigint GENERATED ALWAYS AS IDENTITY, item text)"
        )
        quick.commit()
        with slow.cursor() as first:
            first.execute("INSERT INTO late (item) VALUES ('first') RETURNING id")
        cursor.execute("INSERT INTO late (item) VALUES ('second')")
        quick.commit()
        cursor.execute("SELECT max(id) FROM late")
        last = cursor.fetchone()[0]
        slow.commit()
        cursor.execute("SELECT item FROM late WHERE id > %s", [last])
        assert cursor.fetchall() == []
        cursor.execute("SELECT item FROM late ORDER BY id")
        assert cursor.fetchall() == [("first",), ("second",)]
        cursor.execute("DROP TABLE late")
        quick.commit()


def test_a_notification_holds_less_than_8000_bytes(running: Checkout) -> None:
    with shop_database(running) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('stock', repeat('a', 7999))")
        with pytest.raises(psycopg2.Error, match="payload string too long"):
            cursor.execute("SELECT pg_notify('stock', repeat('a', 8000))")
