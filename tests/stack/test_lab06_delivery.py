"""Lab 06, second half, on a real stack: each order once in effect, bad ones on the dead-letter topic, nine messages."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from driver import end_group, until

from labkit import cells, chaos
from labkit.airflow import gate, queueing
from labkit.airflow.api import Api
from labkit.brokers import client, shop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driver import Checkout

WATCHED = {"serve_once": "careful_orders", "serve_nine": "nine_orders"}
"""Dag → its asset."""


@pytest.fixture(scope="module")
def watching(checkout: Checkout) -> Iterator[Checkout]:
    """The stack with both Dags un-paused and watched."""
    checkout.having("06")
    stack = checkout.stack
    stack.start_part("api-server")
    with stack.metadata() as metadata, Api(stack.state, 30) as api:
        until(lambda: WATCHED.keys() <= metadata.dags().keys(), "the Dags to be parsed", 90)
        for dag in (*WATCHED, "send_nine"):
            api.set_paused(dag, paused=False)
        for dag in WATCHED:
            api.reparse(dag)
        watched = lambda: {one.asset for one in metadata.watchers() if one.triggerer}  # noqa: E731
        until(lambda: set(WATCHED.values()) <= watched(), "the watchers", 60)
        yield checkout
        for dag in (*WATCHED, "send_nine"):
            api.set_paused(dag, paused=True)
        for dag in WATCHED:
            api.reparse(dag)
        until(lambda: not set(WATCHED.values()) & watched(), "the watchers to go", 60)


def served(checkout: Checkout) -> list[str]:
    """Return what has been served, in order; nothing where nobody was ever."""
    columns, rows = shop.run(checkout.stack.state, "SELECT to_regclass('served_once') AS there")
    del columns
    if rows[0]["there"] is None:
        return []
    return [row["order_id"] for row in shop.run(checkout.stack.state, "SELECT order_id FROM served_once")[1]]


def test_each_order_is_served_once_and_what_is_none_is_a_dead_letter_with_its_reason(watching: Checkout) -> None:
    stack, mark = watching.stack, f"{time.time_ns():x}"
    bootstrap = stack.state.bootstrap
    before = client.letters(bootstrap, "careful-dead")
    orders = [f"{mark}-{number}" for number in range(1, 5)]
    good = [json.dumps({"order_id": order}) for order in orders]
    bad = {b"malformed": "not JSON: Expecting value", b"\xff\xfe": "not UTF-8", b"{}": "no order_id"}
    # Doubles: right behind each other, and apart.
    messages: list[Any] = [good[0], good[0], good[1], *bad, good[2], good[1], good[3], good[0]]
    sent = client.publish(bootstrap, "careful", messages)
    end = max(one.offset for one in sent) + 1
    with stack.metadata() as metadata:
        begin_runs = metadata.rows("SELECT count(*) AS n FROM dag_run WHERE dag_id = 'serve_once'")[0]["n"]
        until(lambda: set(orders) <= set(served(watching)), "every order to be served", 90)
        # Nothing is read again: the group goes on behind the last message.
        until(lambda: client.committed(bootstrap, "kafka_careful", "careful") == end, "the offset to be committed", 60)
        until(lambda: not queueing.pending(metadata, ["serve_once"]), "all runs to end", 60)
        states = metadata.rows("SELECT state FROM dag_run WHERE dag_id = 'serve_once'")
        assert {row["state"] for row in states} == {"success"}
        assert len(states) >= begin_runs
        texts = metadata.rows("SELECT extra::text AS extra FROM asset_event WHERE extra::text LIKE %s", [f"%{mark}%"])
    assert len(texts) == len(messages) - len(bad), "an event for each good message, doubles included"
    assert sorted(one for one in served(watching) if one in orders) == orders
    dead = client.letters(bootstrap, "careful-dead", len(before))
    assert {one.value: one.headers["reason"] for one in dead} == bad
    assert len(dead) == len(bad)
    assert {one.headers["topic"] for one in dead} == {"careful"}
    offsets = [one.offset for one in sent][3:6]
    assert [int(one.headers["offset"]) for one in dead] == offsets


def test_what_airflows_own_end_to_end_test_expects_of_nine_messages_holds(watching: Checkout) -> None:
    stack = watching.stack
    bootstrap = stack.state.bootstrap

    def ended() -> list[str]:
        query = "SELECT state FROM dag_run WHERE dag_id = 'serve_nine' AND state IN ('success', 'failed')"
        return [row["state"] for row in metadata.rows(query)]

    ends = {topic: len(client.letters(bootstrap, topic)) for topic in ("nine", "nine-dead")}
    with stack.metadata() as metadata, Api(stack.state, 30) as api:
        before = ended()
        api.call("POST", "dags/send_nine/dagRuns", json={"logical_date": None})
        until(lambda: len(ended()) >= len(before) + 9, "nine runs to end", 150, 0.5)
        until(lambda: not queueing.pending(metadata, ["serve_nine"]), "no more runs")
        after = ended()
    assert len(after) - len(before) == 9
    assert after.count("success") - before.count("success") == 8
    assert after.count("failed") - before.count("failed") == 1
    assert len(client.letters(bootstrap, "nine")) - ends["nine"] == 9
    (dead,) = client.letters(bootstrap, "nine-dead", ends["nine-dead"])
    assert json.loads(dead.value or b"") == {"reason": "serve_one failed", "value": "malformed"}


@pytest.mark.parametrize(
    ("topic", "group", "behind"),
    [("nine", "kafka_nine", 0), ("careful", "kafka_careful", 1)],
    ids=["single-shot", "shared stream"],
)
def test_one_trigger_commits_before_the_event_is_stored_and_the_other_after(
    topic: str, group: str, behind: int, watching: Checkout
) -> None:
    state = watching.stack.state
    bootstrap = state.bootstrap
    with watching.stack.metadata() as metadata:
        ids = queueing.asset_ids(metadata, WATCHED.values())
    ours, other = (ids[name] for name in sorted(ids, key=lambda name: not name.startswith(topic)))
    until(lambda: client.committed(bootstrap, group, topic) == client.end(bootstrap, topic), "all to be read")
    with gate.Gate(state, ours) as shut, gate.Gate(state, other) as of_other:
        order = {"order_id": f"{time.time_ns():x}", "cups": 1}
        (sent,) = client.publish(bootstrap, topic, [json.dumps(order)])
        until(shut.waiting, "the event to be on its way into the database")
        assert of_other.waiting() == [], "it tells whose event waits"
        # The triggerer has it, the database has not: who dies now has Kafka read it again, or not.
        assert client.committed(bootstrap, group, topic) == sent.offset + 1 - behind
    until(lambda: client.committed(bootstrap, group, topic) == sent.offset + 1, "the offset to be committed")


def let_go_wrong(checkout: Checkout, some: Sequence[cells.Cell], *more: str) -> list[dict[str, Any]]:
    """Run `./lab chaos` for sources that share a fault, and return what it counted; the stack is as before."""
    dags = [cell.target.dag for cell in some]
    schemes = ",".join(cell.target.name for cell in some)
    with checkout.stack.metadata() as metadata:
        until(lambda: set(dags) <= metadata.dags().keys(), "the Dags to be parsed", 90)
        before = [metadata.dags()[dag]["is_paused"] for dag in dags]
        rows = json.loads(checkout.lab("chaos", schemes, some[0].fault, "--json", *more, timeout=400).stdout)
        assert [metadata.dags()[dag]["is_paused"] for dag in dags] == before
    assert [(row["scheme"], row["fault"]) for row in rows] == [cell.name for cell in some]
    return list(rows)


RECORDED = {(row["scheme"], row["fault"]): row for row in json.loads(cells.Record().file.read_text(encoding="utf-8"))}
"""What `./lab chaos` counted, for the pages."""
TABLE = {cell.name: cell for cell in cells.cells()}
"""Every cell that there has to be."""
TWO = [("kafka", "cut-database"), ("batch", "duplicate")]
"""What `--all` is tried with each time, in the order of the table."""
EACH_TIME = [
    ("kill-triggerer", ["kafka-shared-stream", "kafka", "file"]),
    ("lose-triggerer", ["shared-plain", "kafka", "file"]),
    ("freeze-triggerer", ["sqs-kept", "file"]),
    ("kill-scheduler", ["batch", "sqs-kept"]),
    ("duplicate", ["kafka", "sqs", "kafka-shared-stream"]),
]
"""What else is tried each time, with those that share a fault: some three minutes. `./lab test --full` tries all.

None of them is Redis: on a busy machine its first message now and then finds nobody, and the experiment ends there.
"""
SHORT = {"freeze-triggerer": 25}
"""Seconds that a fault lasts here where it takes no longer to show what it does: more than Kafka's `session.timeout.ms`
and more than the `visibility_timeout` of `sqs-kept`."""
LONG = 20.0
"""Seconds beyond which a message was late because of the crash or the freeze, and not because the machine was busy."""


def shares() -> Iterator[Any]:
    """Yield the cells that share a fault: those of each time, then all others."""
    each_time = [[TABLE[scheme, fault] for scheme in schemes] for fault, schemes in EACH_TIME]
    tried = {cell.name for some in each_time for cell in some} | set(TWO)
    rest = cells.together([cell for name, cell in TABLE.items() if name not in tried])
    for some, marks in [*((some, ()) for some in each_time), *((some, pytest.mark.full) for some in rest)]:
        name = f"{some[0].fault}-{'+'.join(cell.target.name for cell in some)}"
        yield pytest.param(some, marks=marks, id=name)


def delay_class(longest: float | None) -> int:
    """Return 0 where nothing was late, 2 where something was late for its fault's sake, 1 in between."""
    if longest is None or longest <= chaos.LATE:
        return 0
    return 1 if longest <= LONG else 2


def as_recorded(row: Mapping[str, Any]) -> bool:
    """Tell whether a cell came out as recorded: how often a message comes twice may be luck; whether it does is not.

    A busy machine makes a message late, or a quiet one in time: the next class will do. A triggerer whose connection
    is cut takes from no time to half a minute to end.
    """
    recorded = RECORDED[row["scheme"], row["fault"]]
    apart = abs(delay_class(row["longest"]) - delay_class(recorded["longest"]))
    in_time = apart <= 1 or row["fault"] == "cut-database"
    return in_time and (row["lost"], bool(row["doubled"])) == (recorded["lost"], bool(recorded["doubled"]))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (("kafka", "kill-triggerer"), {"lost": 0}),
        (("redis", "none"), {"lost": 1}),
        (("kafka", "duplicate"), {"doubled": 0}),
        (("kafka-shared-stream", "freeze-triggerer"), {"doubled": 1}),
        (("kafka-shared-stream", "kill-triggerer"), {"longest": 4.0}),
        (("file", "kill-scheduler"), {"longest": 31.0}),
        (("shared-plain", "freeze-triggerer"), {"longest": None}),
    ],
)
def test_what_is_not_as_recorded_is_told_from_what_is(name: tuple[str, str], changes: dict[str, Any]) -> None:
    assert as_recorded(RECORDED[name])
    assert not as_recorded({**RECORDED[name], **changes})


@pytest.fixture(scope="module")
def solved(checkout: Checkout) -> Iterator[Checkout]:
    """Lab 04's solution in place of the exercise, which comes back afterwards."""
    checkout.having("04")
    checkout.lab("reset", "04", "--solution", "--yes")
    checkout.lab("restart", "triggerer")  # it imports a class once
    yield checkout
    checkout.lab("reset", "04", "--yes")
    checkout.lab("restart", "triggerer")


@pytest.mark.parametrize("some", list(shares()))
def test_what_is_lost_doubled_and_late_is_what_was_recorded(
    some: list[cells.Cell], running: Checkout, request: pytest.FixtureRequest
) -> None:
    if any(cell.target.dag == "handle_delivery" for cell in some):
        request.getfixturevalue("solved")
    fault = some[0].fault
    each_time = (fault, [cell.target.name for cell in some]) in EACH_TIME
    more = ["--seconds", str(SHORT[fault])] if each_time and fault in SHORT else []
    rows = let_go_wrong(running, some, *more)
    assert [row for row in rows if not as_recorded(row)] == []


def test_each_time_a_fifth_of_the_table_is_tried_and_all_of_it_at_length() -> None:
    each_time = {*TWO, *((scheme, fault) for fault, schemes in EACH_TIME for scheme in schemes)}
    assert each_time <= TABLE.keys()
    assert TABLE.keys() == RECORDED.keys(), "every cell has its test, and every test what to compare with"
    assert len(each_time) * 5 >= len(TABLE)
    rows = [RECORDED[name] for name in each_time]
    assert {(bool(row["lost"]), bool(row["doubled"])) for row in rows} == {(True, False), (False, True), (False, False)}


def test_all_keeps_each_cell_at_once_and_goes_on_where_ctrl_c_ended_it(running: Checkout) -> None:
    file = running.root / cells.Record().shown
    whole = file.read_text(encoding="utf-8")
    rows = json.loads(whole)
    file.write_text(json.dumps([row for row in rows if (row["scheme"], row["fault"]) not in TWO]), encoding="utf-8")

    def kept() -> dict[tuple[str, str], dict[str, Any]]:
        found = {(row["scheme"], row["fault"]): row for row in json.loads(file.read_text(encoding="utf-8"))}
        return {name: found[name] for name in TWO if name in found}

    def watched() -> set[str]:
        return {one.asset for one in metadata.watchers()}

    first, second = (TABLE[name].target for name in TWO)
    try:
        with running.stack.metadata() as metadata:
            until(lambda: {first.dag, second.dag} <= metadata.dags().keys(), "the Dags to be parsed", 90)
            process = running.begin("chaos", "--all")
            until(kept, "the first cell to be kept", 200)
            until(lambda: second.asset in watched(), "the second cell's watcher", 60)
            assert end_group(process, signal.SIGINT, 120) == 130
            assert list(kept()) == TWO[:1]
            assert {metadata.dags()[one.dag]["is_paused"] for one in (first, second)} == {True}
            until(lambda: not {first.asset, second.asset} & watched(), "the watchers to go", 60)
        done = running.lab("chaos", "--all", timeout=400)
        assert "1/1 batch" in done.stdout, done.stdout
        assert list(kept()) == TWO
        assert all(as_recorded(row) for row in kept().values()), kept()
        assert "All " in running.lab("chaos", "--all").stdout, "nothing is missing any more"
        assert list(file.parent.glob(f".{file.name}*")) == [], "no draft is left"
    finally:
        file.write_text(whole, encoding="utf-8")


def test_the_careful_way_loses_nothing_and_serves_nothing_twice_whatever_goes_wrong() -> None:
    rows = {fault: row for (scheme, fault), row in RECORDED.items() if scheme == "kafka-shared-stream"}
    assert rows.keys() == set(chaos.FAULTS)
    assert {(row["lost"], row["doubled"]) for row in rows.values()} == {(0, 0)}
    assert rows["poison"]["refused"] == 1


def test_the_third_counter_fails_as_it_comes_and_stands_everything_once_it_is_mended(running: Checkout) -> None:
    stack = running.stack

    def switch(*, paused: bool) -> None:
        with stack.metadata() as metadata, Api(stack.state, 30) as api:
            until(lambda: "serve_terrace" in metadata.dags(), "the Dag to be parsed", 90)
            api.set_paused("serve_terrace", paused=paused)
            api.reparse("serve_terrace")
            watched = lambda: "terrace_orders" in {one.asset for one in metadata.watchers() if one.triggerer}  # noqa: E731
            until(lambda: watched() != paused, "the watcher to come or go", 60)

    def said(code: int | None = 1) -> str:
        return running.lab("verify", "06", "exercise-once", code=code).stdout

    assert "paused" in said()
    file = running.root / "work" / "06-delivery-and-collapse" / "serve_terrace.py"
    try:
        switch(paused=False)
        assert "`kafka_careful`" in said()
        # A group of its own does not make it stand a crash.
        file.write_text(file.read_text(encoding="utf-8").replace("kafka_careful", "kafka_terrace"), encoding="utf-8")
        until(lambda: "Kafka was told" in said(), "the verdict on the trigger", 90, 1)
        running.lab("reset", "06", "--solution", "--yes")
        running.lab("restart", "triggerer")
        switch(paused=False)
        until(lambda: "This step is done" in said(None), "verify to pass", 200, 1)
    finally:
        running.lab("reset", "06", "--yes")
        switch(paused=True)
        # A triggerer that knows the solution's class would hide what is wrong with the exercise.
        running.lab("restart", "triggerer")


def test_ctrl_c_leaves_nothing_frozen_and_nothing_unpaused(running: Checkout) -> None:
    stack = running.stack
    process = running.begin("chaos", "kafka", "freeze-triggerer", "--seconds", "300")

    def frozen() -> bool:
        return any(one.status() == psutil.STATUS_STOPPED for one in stack.family("triggerer"))

    until(frozen, "the triggerer to stand still", 120)
    assert end_group(process, signal.SIGINT, 120) == 130
    assert not frozen()
    with stack.metadata() as metadata:
        assert metadata.dags()["serve_plainly"]["is_paused"]
        until(lambda: "plain_orders" not in {one.asset for one in metadata.watchers()}, "the watcher to go", 60)
