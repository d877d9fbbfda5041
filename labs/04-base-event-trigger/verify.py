"""Looks whether the steps of lab 04 are done; one function a step, named like it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.bench import examine, isolate
from labkit.verify import NotYet, learners

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

QUIET_SECONDS = 8
"""For how long a note has to lie there before its silence tells anything: a trigger that returns fires every 2 s."""


def _names(payload: Any) -> list[str]:
    """Return the names of files that a payload tells; a learner's may have any shape."""
    files = payload.get("files") if isinstance(payload, dict) else None
    return [name for name in files if isinstance(name, str)] if isinstance(files, list) else []


def upload(metadata: Metadata, lab: Lab) -> None:
    """Check that a new file in the bucket caused a run."""
    del lab
    if not any(payload["keys"] for payload in metadata.succeeded_payloads("handle_upload")):
        raise NotYet(
            en="No run of `handle_upload` has succeeded on a new file in the bucket `menus`.",
            zh_tw="還沒有任何一次 `handle_upload` 的執行，成功處理儲存桶 `menus` 裡的新檔案。",
        )


def outbox(metadata: Metadata, lab: Lab) -> None:
    """Check that the outbox told more than the notification."""
    del lab
    told = {
        way: {row["id"] for payload in metadata.succeeded_payloads(way) for row in payload["rows"]}
        for way in ("stock_by_notify", "stock_by_outbox")
    }
    for way, rows in told.items():
        if not rows:
            raise NotYet(en=f"No run of `{way}` has succeeded yet.", zh_tw=f"`{way}` 還沒有任何一次執行成功。")
    if not told["stock_by_outbox"] - told["stock_by_notify"]:
        raise NotYet(
            en="Both have told the same so far: nothing was delivered while nobody listened.",
            zh_tw="到目前為止兩邊說的都一樣：還沒有在沒人聽的時候進過貨。",
        )


def shared(metadata: Metadata, lab: Lab) -> None:
    """Check that both groups of watchers had an event."""
    del lab
    for dag in ("cards_alone", "cards_shared"):
        if not metadata.succeeded_payloads(dag):
            raise NotYet(en=f"No card has caused a run of `{dag}`.", zh_tw=f"還沒有卡片引發 `{dag}` 的執行。")


def quiet(metadata: Metadata, lab: Lab) -> None:
    """Check that the lab is tidied up."""
    dags = metadata.dags()
    awake = [dag for dag in lab.on_demand if dag != "handle_delivery" and dag in dags and not dags[dag]["is_paused"]]
    if awake:
        names = ", ".join(f"`{dag}`" for dag in awake)
        raise NotYet(en=f"Still un-paused: {names}.", zh_tw=f"還沒暫停：{names}。")
    left = sorted({one.asset for one in metadata.watchers()} & {*lab.on_demand, "parcels", "uploads"})
    if left:
        names = ", ".join(f"`{asset}`" for asset in left)
        raise NotYet(en=f"Still watched: {names}.", zh_tw=f"還有監看器：{names}。")
    if "TriggererJob" not in metadata.heartbeats():
        raise NotYet(en="No triggerer is running.", zh_tw="沒有觸發者在執行。")


def exercise_run(metadata: Metadata, lab: Lab) -> None:
    """Check that the newest note was told once, with a run, and that it stayed at that."""
    dag = metadata.dags().get("handle_delivery")
    if dag is None:
        raise NotYet(en="Airflow knows no Dag `handle_delivery` yet.", zh_tw="Airflow 還不認得 `handle_delivery`。")
    if dag["is_paused"]:
        raise NotYet(
            en="The Dag `handle_delivery` is paused, and a paused Dag has no watcher.",
            zh_tw="Dag `handle_delivery` 暫停中；暫停的 Dag 沒有監看器。",
        )
    if not any(one.asset == "deliveries" for one in metadata.watchers()):
        raise NotYet(
            en="`deliveries` has no watcher yet. It comes with the next parse, half a minute after un-pausing at most.",
            zh_tw="`deliveries` 還沒有監看器：取消暫停之後，要等下一次解析，最多半分鐘。",
        )
    folder = lab.work / "deliveries"
    notes = [path for path in folder.glob("*") if path.is_file()]
    if not notes:
        raise NotYet(
            en=f"There is no note in `work/{lab.name}/deliveries`.",
            zh_tw=f"`work/{lab.name}/deliveries` 裡還沒有送貨單。",
        )
    newest = max(notes, key=lambda path: path.stat().st_mtime)
    events = metadata.rows(
        """
        SELECT e.extra::jsonb -> 'payload' AS payload, now() - e.timestamp > make_interval(secs => %s) AS settled
        FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'deliveries' AND e.timestamp > to_timestamp(%s)
        """,
        [QUIET_SECONDS, newest.stat().st_mtime],
    )
    told = [row for row in events if newest.name in _names(row["payload"])]
    if not told:
        raise NotYet(
            en=f"No event tells of `{newest.name}` in `files`. Was the triggerer restarted? Is the name there as text?",
            zh_tw=f"沒有任何事件的 `files` 提到 `{newest.name}`。觸發者重新啟動過了嗎？名字是用文字送出的嗎？",
        )
    if len(told) > 1:
        raise NotYet(
            en=f"`{newest.name}` did not change, and was told {len(told)} times.",
            zh_tw=f"`{newest.name}` 沒有變，卻被說了 {len(told)} 次。",
        )
    if not told[0]["settled"]:
        raise NotYet(
            en=f"`{newest.name}` was told a moment ago. Look again in {QUIET_SECONDS} seconds: it must stay at that.",
            zh_tw=f"`{newest.name}` 才剛被說到。{QUIET_SECONDS} 秒後再看一次：不能再多。",
        )
    if not any(newest.name in _names(payload) for payload in metadata.succeeded_payloads("handle_delivery")):
        raise NotYet(
            en=f"No run of `handle_delivery` has succeeded on `{newest.name}` yet.",
            zh_tw=f"`handle_delivery` 還沒有任何一次執行成功處理 `{newest.name}`。",
        )


def exercise_bench(metadata: Metadata, lab: Lab) -> None:
    """Check that the learner's trigger passes the bench; it takes some 10 seconds."""
    del metadata
    isolate()  # the learner's module imports Airflow
    trigger = learners(lab, "delivery_notes", "DeliveryTrigger")
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = examine(
                lambda: trigger(folder),
                cause=lambda number: Path(folder, f"note-{number}.txt").touch(),
                events=2,
                restarts=1,
                real_patience=6,
            )
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise NotYet(
                en=f"`DeliveryTrigger(folder)` makes no trigger: {reason}",
                zh_tw=f"`DeliveryTrigger(folder)` 做不出觸發器：{reason}",
            ) from error
    if not report.passed:
        wrong = [one for one in report.findings if one.passed is False] or [
            one for one in report.findings if one.passed is None
        ]
        lines = {
            language: "".join(f"\n        {one.mark} {one.check}: {one.reasons[language]}" for one in wrong)
            for language in ("en", "zh-TW")
        }
        raise NotYet(en=f"The bench found:{lines['en']}", zh_tw=f"試驗台發現：{lines['zh-TW']}")
