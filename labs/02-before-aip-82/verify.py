"""Looks whether the steps of lab 02 are done; one function a step, named like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labkit.verify import NotYet

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab


def race(metadata: Metadata, lab: Lab) -> None:
    """Check that a Dag of each kind has a run that handled something."""
    del lab
    query = "SELECT DISTINCT dag_id FROM xcom WHERE value::text LIKE '%%\"began\"%%' AND dag_id LIKE %s"
    if not metadata.rows(query, ["old_%"]) or not metadata.rows(query, ["watch_%"]):
        raise NotYet(
            en="The old pattern or the watcher has handled no order yet. `./lab race old-one watcher` lets both run.",
            zh_tw="舊寫法或監看器還沒在這裡處理過訂單。`./lab race old-one watcher` 會讓兩者都跑一場。",
        )


def exercise_schedule(metadata: Metadata, lab: Lab) -> None:
    """Check that no Dag of the learner's is continuous."""
    # A Dag that is gone from its file becomes stale only up to two minutes later: of each file, what was parsed last
    # counts.
    query = """
        SELECT dag_id, timetable_summary FROM dag
        WHERE NOT is_stale AND bundle_name = %s AND last_parsed_time >= (
            SELECT max(other.last_parsed_time) - interval '5 seconds' FROM dag other
            WHERE other.bundle_name = dag.bundle_name AND other.relative_fileloc = dag.relative_fileloc
        )
        ORDER BY dag_id
    """
    rows = metadata.rows(query, [f"{lab.name}-work"])
    if not rows:
        raise NotYet(en="Airflow knows no Dag of your folder yet.", zh_tw="Airflow 還不認得你資料夾裡的 Dag。")
    for row in rows:
        if row["timetable_summary"] == "@continuous":
            raise NotYet(
                en=f'The Dag `{row["dag_id"]}` still has `schedule="@continuous"`.',
                zh_tw=f"Dag `{row['dag_id']}` 的排程還是 `@continuous`。",
            )


def exercise_watcher(metadata: Metadata, lab: Lab) -> None:
    """Check that `bookings` is watched."""
    del lab
    watchers = [one for one in metadata.watchers() if one.asset == "bookings"]
    if not watchers:
        paused = metadata.dags().get("handle_booking", {}).get("is_paused")
        raise NotYet(
            en="The asset `bookings` has no watcher" + (": `handle_booking` is paused." if paused else " yet."),
            zh_tw="資源 `bookings` 沒有監看器" + ("：`handle_booking` 暫停中。" if paused else "。"),
        )
    if all(one.triggerer is None for one in watchers):
        raise NotYet(
            en="The watcher of `bookings` is stored, but no triggerer runs its trigger yet; give it a second or two.",
            zh_tw="`bookings` 的監看器已寫入，但還沒有觸發者執行它的觸發器；等一兩秒再看。",
        )


def exercise_run(metadata: Metadata, lab: Lab) -> None:
    """Check that a booking caused a run of the learner's Dag."""
    del lab
    for run in metadata.succeeded_runs("handle_booking"):
        for payload in run["payloads"]:
            try:
                value = json.loads(payload)
            except (TypeError, ValueError):
                continue
            if isinstance(value, dict) and "table" in value:
                return
    raise NotYet(
        en="No run of `handle_booking` has succeeded on a message with `table`. Publish one to the topic `bookings`.",
        zh_tw="`handle_booking` 還沒有任何一次執行成功處理帶有 `table` 的訊息。對主題 `bookings` 發布一則吧。",
    )
