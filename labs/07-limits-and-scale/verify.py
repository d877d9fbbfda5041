"""Looks whether the steps of lab 07 are done; one function a step, named like it."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from labkit.notebook import Notebook
from labkit.verify import NotYet, TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

PATIENT = 8
"""Seconds that a run of `steep_tea` takes when its task has to wait for a triggerer; else it takes three or four."""

TIPS, GAP = 8, 2.5
"""How many tips the check sends, and how many seconds apart: each gets a run of its own, as the exercise comes."""
BOOKED_WITHIN = 25
"""Seconds from the last tip until all have to be counted: the 20 of the page, and some for a slow machine."""
BEFORE = 18
"""Rows that a tip costs as the exercise comes, once it is counted; a test counts them again."""


def _pairs(metadata: Metadata, ended: str) -> bool:
    """Tell whether two triggerers ran side by side of which one ended in a certain way.

    One that follows another does not count: the old one's last heartbeat is before the new one's start.

    Args:
        metadata: The metadata database.
        ended: A condition on the one that ended, `one`; the other is `other`.
    """
    query = f"""
        SELECT 1 FROM job one JOIN job other ON other.id <> one.id AND other.job_type = one.job_type
        WHERE one.job_type = 'TriggererJob' AND {ended}
          AND least(one.latest_heartbeat, other.latest_heartbeat) > greatest(one.start_date, other.start_date)
        LIMIT 1
    """  # noqa: S608  our own words
    return bool(metadata.rows(query))


def shared(metadata: Metadata, lab: Lab) -> None:
    """Check that two triggerers ran side by side."""
    del lab
    if not _pairs(metadata, "true"):
        raise NotYet(
            en="No two triggerers have run side by side, for a heartbeat or more.",
            zh_tw="還沒有兩個觸發者同時跑過；要一起跑到兩個都送出心跳，才算數。",
        )


def _orders(metadata: Metadata) -> int:
    """Return how many orders have come in at a branch."""
    query = """
        SELECT count(*) AS orders FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = 'branch_1_orders'
    """
    return int(metadata.rows(query)[0]["orders"])


def asked(metadata: Metadata, lab: Lab) -> None:
    """Check that one of two triggerers signed off, and that orders came in."""
    del lab
    if not _pairs(metadata, "one.state = 'success' AND other.latest_heartbeat > one.end_date"):
        raise NotYet(
            en="No triggerer has signed off while another one ran on.",
            zh_tw="還沒有觸發者在另一個還在跑的時候登記離開。",
        )
    if not _orders(metadata):
        raise NotYet(en="No order has come in at branch 1.", zh_tw="一號分店還沒有收到單。")


def killed(metadata: Metadata, lab: Lab) -> None:
    """Check that one of two triggerers ended without a word, and that every order of branch 1 has an event."""
    if not _pairs(
        metadata, "one.state <> 'success' AND other.latest_heartbeat > one.latest_heartbeat + interval '20 s'"
    ):
        raise NotYet(
            en="No triggerer has died without signing off while another one ran on.",
            zh_tw="還沒有觸發者在另一個還在跑的時候，來不及登記就死掉。",
        )
    sent = {value.decode() for value in Notebook(lab.id).letters("branch-1")["value"]}
    query = """
        SELECT DISTINCT e.extra::jsonb ->> 'payload' AS payload FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'branch_1_orders'
    """
    missing = sent - {row["payload"] for row in metadata.rows(query)}
    if missing:
        raise NotYet(
            en=f"{len(missing)} orders on the topic `branch-1` have no event. Is `serve_branch_1` un-paused?",
            zh_tw=f"主題 `branch-1` 上有 {len(missing)} 張單還沒有事件。`serve_branch_1` 取消暫停了嗎？",
        )


def full(metadata: Metadata, lab: Lab) -> None:
    """Check that a deferred task waited for room in a triggerer."""
    del lab
    query = """
        SELECT 1 FROM dag_run WHERE dag_id = 'steep_tea' AND state = 'success'
        AND end_date - start_date > %s * interval '1 second' LIMIT 1
    """
    if not metadata.rows(query, [PATIENT]):
        raise NotYet(
            en=f"No run of `steep_tea` has had to wait: none took longer than {PATIENT} seconds.",
            zh_tw=f"`steep_tea` 還沒有哪一次執行需要等：沒有一次超過 {PATIENT} 秒。",
        )


def exercise_halve(metadata: Metadata, lab: Lab) -> None:
    """Send tips, and see whether each is counted and how many rows they leave; it takes up to a minute."""
    _watched(metadata)
    stack = Notebook(lab.id)
    mark = secrets.token_hex(3)
    sent = [f"{mark}-{number}" for number in range(1, TIPS + 1)]
    first = _begin(metadata)
    _give(stack, sent)
    began = time.monotonic()

    def is_over() -> bool:
        late = time.monotonic() - began > BOOKED_WITHIN
        return not _missing(metadata, sent) or (late and not _unfinished(metadata))

    if not stack.within(4 * BOOKED_WITHIN, is_over):
        raise TooBusy
    if missing := _missing(metadata, sent):
        raise NotYet(
            en=f"{TIPS} tips were sent, and {len(missing)} of them were not counted {BOOKED_WITHIN} seconds after the "
            "last. "
            "`./lab logs triggerer -n 20` and the runs of `count_tips` in Airflow's interface tell why.",
            zh_tw=f"送了 {TIPS} 筆小費，最後一筆送出 {BOOKED_WITHIN} 秒之後，還有 {len(missing)} 筆沒算到。原因在 "
            "`./lab logs triggerer -n 20`，或 Airflow 介面裡 `count_tips` 的執行。",
        )
    if not stack.within(60, lambda: not _unfinished(metadata)):
        raise TooBusy
    rows = _rows(metadata, first)
    cost = sum(rows.values()) / TIPS
    if cost > BEFORE / 2:
        most = ", ".join(f"{table} {count}" for table, count in sorted(rows.items(), key=lambda row: -row[1])[:4])
        raise NotYet(
            en=f"{TIPS} tips left {sum(rows.values())} rows, {cost:.1f} each: {most}. It was {BEFORE} each, and has to "
            f"be {BEFORE // 2} or less.",
            zh_tw=f"{TIPS} 筆小費留下 {sum(rows.values())} 列，每筆 {cost:.1f}：{most.replace(', ', '、')}。本來是每筆 "
            f"{BEFORE}，要降到 {BEFORE // 2} 以下。",
        )


def _give(stack: Notebook, tips: list[str]) -> None:
    """Send tips one by one, as guests give them."""
    for name in tips:
        stack.send("tips", json.dumps({"tip": name, "coins": 5}))
        time.sleep(GAP)


def _watched(metadata: Metadata) -> None:
    """Raise unless the Dag is un-paused and a triggerer runs its watcher."""
    found = metadata.dags().get("count_tips")
    if found is None:
        raise NotYet(en="Airflow knows no Dag `count_tips` yet.", zh_tw="Airflow 還不認得 `count_tips`。")
    if found["is_paused"]:
        raise NotYet(
            en="The Dag `count_tips` is paused, and a paused Dag has no watcher. Un-pause it in Airflow's interface.",
            zh_tw="Dag `count_tips` 暫停中；暫停的 Dag 沒有監看器。請在 Airflow 介面取消暫停。",
        )
    alive = metadata.triggerers()
    if not any(one.asset == "tips_given" and one.triggerer in alive for one in metadata.watchers()):
        raise NotYet(
            en="No triggerer runs a watcher of the asset `tips_given`. It comes with the first parse after un-pausing: "
            "30 seconds.",
            zh_tw="還沒有觸發者在執行資源 `tips_given` 的監看器。取消暫停之後要等下一次解析，最多 30 秒。",
        )


def _begin(metadata: Metadata) -> dict[str, int]:
    """Return the newest event and the newest run: what comes later has higher ids."""
    query = """
        SELECT (SELECT coalesce(max(id), 0) FROM asset_event) AS event,
               (SELECT coalesce(max(id), 0) FROM dag_run) AS run
    """
    return metadata.rows(query)[0]


def _rows(metadata: Metadata, first: dict[str, int]) -> dict[str, int]:
    """Return how many rows the tips since a moment left, by table."""
    runs = "(SELECT run_id FROM dag_run WHERE dag_id = 'count_tips' AND id > %(run)s)"
    mine = f"dag_id = 'count_tips' AND run_id IN {runs}"
    query = f"""
        SELECT (SELECT count(*) FROM asset_event e JOIN asset a ON a.id = e.asset_id
                WHERE a.name = 'tips_given' AND e.id > %(event)s) AS asset_event,
               (SELECT count(*) FROM dag_run WHERE dag_id = 'count_tips' AND id > %(run)s) AS dag_run,
               (SELECT count(*) FROM dagrun_asset_event link JOIN dag_run r ON r.id = link.dag_run_id
                WHERE r.dag_id = 'count_tips' AND r.id > %(run)s) AS dagrun_asset_event,
               (SELECT count(*) FROM task_instance WHERE {mine}) AS task_instance,
               (SELECT count(*) FROM rendered_task_instance_fields WHERE {mine}) AS rendered_task_instance_fields,
               (SELECT count(*) FROM xcom WHERE {mine}) AS xcom,
               (SELECT count(*) FROM log WHERE {mine}) AS log
    """  # noqa: S608  our own words
    return metadata.rows(query, first)[0]


def _missing(metadata: Metadata, sent: list[str]) -> list[str]:
    """Return which tips no task has returned."""
    rows = metadata.rows("SELECT value FROM xcom WHERE dag_id = 'count_tips' AND key = 'return_value'")
    counted = set(_flat([row["value"] for row in rows]))
    return [name for name in sent if name not in counted]


def _flat(value: Any) -> Iterator[str]:
    """Yield the texts that lists in lists hold; a value from the database may still be text."""
    if isinstance(value, str):
        try:
            decoded = json.loads(value)
        except ValueError:
            decoded = value
        value = decoded if isinstance(decoded, list) else value
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif isinstance(value, str):
        yield value


def _unfinished(metadata: Metadata) -> int:
    """Return how many runs are to come or have not ended."""
    query = """
        SELECT (SELECT count(*) FROM asset_dag_run_queue WHERE target_dag_id = 'count_tips')
             + (SELECT count(*) FROM dag_run WHERE dag_id = 'count_tips' AND state IN ('queued', 'running')) AS runs
    """
    return int(metadata.rows(query)[0]["runs"])
