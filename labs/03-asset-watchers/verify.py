"""Looks whether the steps of lab 03 are done; one function a step, named like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labkit.verify import NotYet

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab


def _watched(metadata: Metadata, asset: str, dag: str) -> None:
    """Raise unless the asset has a watcher whose trigger a triggerer runs."""
    dags = metadata.dags()
    if dag not in dags:
        raise NotYet(en=f"Airflow knows no Dag `{dag}` yet.", zh_tw=f"Airflow 還不認得 `{dag}` 這個 Dag。")
    if dags[dag]["is_paused"]:
        raise NotYet(
            en=f"The Dag `{dag}` is paused, and a paused Dag has no watcher.",
            zh_tw=f"Dag `{dag}` 暫停中；暫停的 Dag 沒有監看器。",
        )
    watchers = [watcher for watcher in metadata.watchers() if watcher.asset == asset]
    if not watchers:
        raise NotYet(
            en=f"The table `asset_watcher` has no row for the asset `{asset}`. If you have just changed its watcher's "
            "arguments, this is the gap of 3.3.2: save the file once more, or wait 30 seconds.",
            zh_tw=f"資料表 `asset_watcher` 裡沒有資源 `{asset}` 的資料列。如果剛改過監看器的參數，"
            "這是 3.3.2 的空窗：再存檔一次，或等 30 秒。",
        )
    if all(watcher.triggerer is None for watcher in watchers):
        raise NotYet(
            en=f"The trigger of `{watchers[0].name}` is stored, but no triggerer runs it yet; give it a second or two.",
            zh_tw=f"`{watchers[0].name}` 的觸發器已寫入，但還沒有觸發者執行它；等一兩秒再看。",
        )


def _listens(metadata: Metadata, asset: str, dag: str) -> None:
    """Raise unless one of the asset's watchers has the topic and the connection of its name."""
    connection = f"kafka_{asset}"
    arguments = metadata.watcher_arguments(dag, asset)
    topics = sorted({topic for one in arguments for topic in one.get("topics") or []})
    connections = sorted({one["kafka_config_id"] for one in arguments if "kafka_config_id" in one})
    if asset not in topics:
        raise NotYet(
            en=f"The watcher waits for the topic {_quoted(topics)}, not for `{asset}`.",
            zh_tw=f"監看器等的主題是 {_quoted(topics)}，要等的是 `{asset}`。",
        )
    if connection not in connections:
        raise NotYet(
            en=f"The watcher uses the connection {_quoted(connections)}. With `{connection}` it has a consumer group "
            "of its own; with another's, the two take each other's messages.",
            zh_tw=f"監看器用的連線是 {_quoted(connections)}。用 `{connection}` 才有自己的消費者群組，"
            "否則會和別的監看器互搶訊息。",
        )


def _quoted(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names) or "–"


def _consumed(metadata: Metadata, dag: str, topic: str, key: str) -> None:
    """Raise unless a run of the Dag that an event caused succeeded, on a payload with that key.

    The key tells the topics' messages apart: an order has cups, a payment has an amount.
    """
    for run in metadata.succeeded_runs(dag):
        for payload in run["payloads"]:
            try:
                value = json.loads(payload)
            except (TypeError, ValueError):
                continue
            if isinstance(value, dict) and key in value:
                return
    raise NotYet(
        en=f"No run of `{dag}` has succeeded on a message with `{key}`. Publish one to the topic `{topic}`.",
        zh_tw=f"`{dag}` 還沒有任何一次執行成功處理帶有 `{key}` 的訊息。對主題 `{topic}` 發布一則吧。",
    )


def watcher(metadata: Metadata, lab: Lab) -> None:
    """Check that `orders` is watched."""
    del lab
    _watched(metadata, "orders", "handle_order")


def run(metadata: Metadata, lab: Lab) -> None:
    """Check that an order caused a run that succeeded."""
    del lab
    _consumed(metadata, "handle_order", "orders", "order_id")


def exercise_watcher(metadata: Metadata, lab: Lab) -> None:
    """Check that the learner's asset is watched."""
    del lab
    _watched(metadata, "payments", "handle_payment")
    _listens(metadata, "payments", "handle_payment")


def exercise_run(metadata: Metadata, lab: Lab) -> None:
    """Check that a payment caused a run of the learner's Dag."""
    del lab
    _consumed(metadata, "handle_payment", "payments", "amount")
