"""Looks whether the steps of lab 01 are done; one function a step, named like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from labkit.verify import NotYet

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

SLIPS = 30
STAYING = ["slips_by_cron", "slips_by_sensor", "slips_by_watcher"]
"""The Dags of the race that are still there after it; the notebook removes the fourth with its runs."""


def race(metadata: Metadata, lab: Lab) -> None:
    """Check that all slips of one stream were handled by each of the Dags."""
    del lab
    rows = metadata.rows(
        """
        SELECT slip ->> 'stream' AS stream, x.dag_id, count(DISTINCT slip ->> 'slip') AS slips
        FROM xcom x CROSS JOIN LATERAL jsonb_array_elements(x.value) AS slip
        WHERE x.dag_id = ANY(%s) AND x.task_id = 'handle' AND x.key = 'return_value' AND slip ->> 'slip' <> '0'
        GROUP BY 1, 2
        """,
        [STAYING],
    )
    done = {(row["stream"], row["dag_id"]) for row in rows if row["slips"] >= SLIPS}
    if not any(all((stream, dag) in done for dag in STAYING) for stream, _ in done):
        raise NotYet(
            en=f"There is no stream of {SLIPS} slips that all of {', '.join(STAYING)} have handled. Run the notebook.",
            zh_tw=f"還沒有哪一串 {SLIPS} 張單子，是 {'、'.join(STAYING)} 都處理完的。請執行筆記本。",
        )


def doors(metadata: Metadata, lab: Lab) -> None:
    """Check that the desk had an event from its watcher, and a pushed one whose key ran the Dag for branches."""
    del lab
    watched = """
        SELECT 1 FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'desk' AND e.extra::jsonb ? 'payload' AND NOT e.extra::jsonb ? 'from_rest_api'
    """
    if not metadata.rows(watched):
        raise NotYet(
            en="The asset `desk` has had no event from its watcher. Publish a message to the topic `desk`.",
            zh_tw="資源 `desk` 還沒有來自監看器的事件。對主題 `desk` 發布一則訊息吧。",
        )
    keyed = """
        SELECT 1 FROM asset_event e JOIN dagrun_asset_event link ON link.event_id = e.id
        JOIN dag_run r ON r.id = link.dag_run_id
        WHERE r.dag_id = 'desk_by_branch' AND r.state = 'success' AND r.partition_key = e.partition_key
    """
    if not metadata.rows(keyed):
        raise NotYet(
            en="No pushed event with a `partition_key` has run `desk_by_branch`. Push one to the asset `desk`.",
            zh_tw="還沒有帶 `partition_key` 的推送事件讓 `desk_by_branch` 執行。對資源 `desk` 推送一個吧。",
        )


def exercise_watcher(metadata: Metadata, lab: Lab) -> None:
    """Check that the learner's Dag read a parcel that its watcher saw."""
    del lab
    parcels = [(_order(extra.get("payload")), row) for extra, row in _events(metadata) if "from_rest_api" not in extra]
    if not any(_packed(row, order, "watcher") for order, row in parcels):
        raise NotYet(
            en="No run of `pack_parcel` has returned a parcel from the topic `parcels` with `door` = `watcher`.",
            zh_tw="`pack_parcel` 還沒有任何一次執行，傳回來自主題 `parcels`、`door` 為 `watcher` 的包裹。",
        )


def exercise_push(metadata: Metadata, lab: Lab) -> None:
    """Check that the learner's Dag read a parcel that was pushed."""
    del lab
    parcels = [(extra.get("order_id"), row) for extra, row in _events(metadata) if "from_rest_api" in extra]
    if not any(order is not None for order, _ in parcels):
        raise NotYet(
            en="Nobody has pushed an event with an `order_id` to the asset `parcels` yet.",
            zh_tw="還沒有人對資源 `parcels` 推送帶有 `order_id` 的事件。",
        )
    if not any(_packed(row, order, "push") for order, row in parcels):
        raise NotYet(
            en="A parcel was pushed, but no run of `pack_parcel` has returned it with `door` = `push`. "
            "A run that failed does not come back by itself: when the code is right, push another.",
            zh_tw="有包裹推送進來，但還沒有任何一次 `pack_parcel` 的執行傳回它，並把 `door` 標為 `push`。"
            "失敗的執行不會自己重來：程式改好之後，請再推送一個。",
        )


def _events(metadata: Metadata) -> list[tuple[dict[str, Any], Any]]:
    """Return the extra of each event of `parcels`, with what a succeeded run on it returned (None where none did)."""
    query = """
        SELECT e.extra::jsonb AS extra, x.value AS returned
        FROM asset_event e JOIN asset a ON a.id = e.asset_id
        LEFT JOIN dagrun_asset_event link ON link.event_id = e.id
        LEFT JOIN dag_run r ON r.id = link.dag_run_id AND r.dag_id = 'pack_parcel' AND r.state = 'success'
        LEFT JOIN xcom x ON x.dag_id = r.dag_id AND x.run_id = r.run_id AND x.task_id = 'pack'
             AND x.key = 'return_value'
        WHERE a.name = 'parcels'
    """
    return [(row["extra"], row["returned"]) for row in metadata.rows(query)]


def _order(payload: object) -> object:
    """Return the number of the order in a message; None where it holds none."""
    try:
        value = json.loads(str(payload))
    except ValueError:
        return None
    return value.get("order_id") if isinstance(value, dict) else None


def _packed(returned: object, order: object, door: str) -> bool:
    """Tell whether a run returned this order with the right door."""
    rows = returned if isinstance(returned, list) else []
    wanted = {"order_id": order, "door": door}
    return order is not None and any(isinstance(row, dict) and wanted.items() <= row.items() for row in rows)
