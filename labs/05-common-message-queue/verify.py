"""Looks whether the steps of lab 05 are done; one function a step, named like it."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from labkit.verify import NotYet, learners

if TYPE_CHECKING:
    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

SAMPLES: dict[str, tuple[Any, list[int]]] = {
    "Kafka": ('{"order_id": 1}', [1]),
    "SQS": (
        {
            "status": "success",
            "message_batch": [
                {"MessageId": "a", "ReceiptHandle": "r", "MD5OfBody": "m", "Body": '{"order_id": 2}'},
                {"MessageId": "b", "ReceiptHandle": "r", "MD5OfBody": "m", "Body": '{"order_id": 3}'},
            ],
        },
        [2, 3],
    ),
    "Redis": ({"type": "message", "pattern": None, "channel": "takeaway", "data": '{"order_id": 4}'}, [4]),
    "FileDeleteTrigger": (True, []),
}
"""A payload of each source as the real ones were (`tests/stack/test_lab05.py` compares), and the orders in it."""

STRANGERS = (None, False, {"message": [1]}, 7)
"""Payloads of no source here: taking them for orders would hide that something is wrong."""


def _shape(payload: Any) -> str:
    """Return the source of a payload, told by its shape."""
    if isinstance(payload, str):
        return "Kafka"
    if payload is True:
        return "FileDeleteTrigger"
    if isinstance(payload, dict):
        return "SQS" if "message_batch" in payload else "Redis" if "channel" in payload else "?"
    return "?"


def three_brokers(metadata: Metadata, lab: Lab) -> None:
    """Check that each of the four Dags had a run that succeeded."""
    del lab
    for dag in ("look_counter", "look_delivery", "look_kiosk", "look_bell"):
        if not metadata.succeeded_payloads(dag):
            raise NotYet(en=f"No run of `{dag}` has succeeded yet.", zh_tw=f"`{dag}` 還沒有任何一次執行成功。")


def exercise_adapter(metadata: Metadata, lab: Lab) -> None:
    """Check the learner's function on a payload of each source, and on some of none."""
    del metadata
    orders_in = learners(lab, "order_adapter", "orders_in")
    for source, (payload, wanted) in SAMPLES.items():
        try:
            found = [order["order_id"] for order in orders_in(payload)]
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise NotYet(
                en=f"`orders_in` fails on a payload of {source}: {reason}\n      {payload!r}",
                zh_tw=f"`orders_in` 遇到 {source} 的事件內容就出錯：{reason}\n      {payload!r}",
            ) from error
        if found != wanted:
            raise NotYet(
                en=f"In a payload of {source} `orders_in` finds the orders {found}, not {wanted}:\n      {payload!r}",
                zh_tw=f"{source} 的事件內容裡，`orders_in` 找到的訂單是 {found}，應該是 {wanted}：\n      {payload!r}",
            )
    for payload in STRANGERS:
        try:
            taken = orders_in(payload)
        except ValueError:
            continue
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise NotYet(
                en=f"For {payload!r}, which no source sends, a `ValueError` is wanted, not {reason}",
                zh_tw=f"{payload!r} 不是任何來源會送的，要拋出 `ValueError`，不是 {reason}",
            ) from error
        raise NotYet(
            en=f"No source sends {payload!r}, yet `orders_in` returns {taken!r}. Raise a `ValueError`: an error is "
            "seen, an order that silently is none is not.",
            zh_tw=f"沒有來源會送 {payload!r}，`orders_in` 卻傳回 {taken!r}。請拋出 `ValueError`："
            "出錯看得見，默默不見的訂單看不見。",
        )


def exercise_run(metadata: Metadata, lab: Lab) -> None:
    """Check that runs of the learner's Dag took an order of each broker, and lived through the bell."""
    del lab
    dag = metadata.dags().get("take_order")
    if dag is None:
        raise NotYet(en="Airflow knows no Dag `take_order` yet.", zh_tw="Airflow 還不認得 `take_order` 這個 Dag。")
    rows = metadata.rows(
        """
        SELECT x.value AS taken, array_agg(e.extra::jsonb -> 'payload' ORDER BY e.id) AS payloads
        FROM dag_run r JOIN dagrun_asset_event link ON link.dag_run_id = r.id
        JOIN asset_event e ON e.id = link.event_id
        JOIN xcom x ON x.dag_run_id = r.id AND x.key = 'return_value'
        WHERE r.dag_id = 'take_order' AND r.state = 'success'
        GROUP BY r.id, x.value::text, x.value
        """
    )
    seen = {_shape(payload) for row in rows for payload in row["payloads"] if _took(row["taken"], payload)}
    missing = [source for source in SAMPLES if source not in seen]
    if not missing:
        return
    paused_en, paused_zh = "", ""
    if dag["is_paused"]:
        paused_en = " It is paused, and a paused Dag has no watcher."
        paused_zh = "它還在暫停中；暫停的 Dag 沒有監看器。"
    raise NotYet(
        en=f"No run of `take_order` has taken what came from: {', '.join(missing)}.{paused_en}",
        zh_tw=f"`take_order` 還沒有哪一次執行收下這些來源的東西：{'、'.join(missing)}。{paused_zh}",
    )


def _took(taken: Any, payload: Any) -> bool:
    """Tell whether a run's result has all the orders of a payload."""
    result = json.loads(taken) if isinstance(taken, str) else taken
    texts = {
        "Kafka": lambda: [payload],
        "SQS": lambda: [message["Body"] for message in payload["message_batch"]],
        "Redis": lambda: [payload["data"]],
        "FileDeleteTrigger": list,
    }.get(_shape(payload))
    if texts is None or not isinstance(result, list):
        return False
    try:
        return all(json.loads(text)["order_id"] in result for text in texts())
    except (ValueError, TypeError, KeyError):  # not an order at all
        return False


def exercise_scheme(metadata: Metadata, lab: Lab) -> None:
    """Check that the old argument is gone, and that topic and connection are what they were."""
    file = lab.work / "count_points.py"
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise NotYet(
            en=f"`count_points.py` cannot be read: {error}", zh_tw=f"無法讀取 `count_points.py`：{error}"
        ) from error
    keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword))
    old = next((keyword for keyword in keywords if keyword.arg == "queue"), None)
    if old is not None:
        raise NotYet(
            en=f"Line {old.lineno} still says `queue=`, which a later release will not take.",
            zh_tw=f"第 {old.lineno} 行還在用 `queue=`，之後的版本就不收了。",
        )
    arguments = metadata.watcher_arguments("count_points", "points")
    wanted = {"topics": ["points"], "kafka_config_id": "kafka_points"}
    if not any(all(one.get(key) == value for key, value in wanted.items()) for one in arguments):
        told = [f"`{key}={one.get(key)!r}`" for one in arguments for key in wanted] or ["–"]
        raise NotYet(
            en=f"The watcher of `points` has {', '.join(told)}. It must still read the topic `points` by the "
            "connection `kafka_points`.",
            zh_tw=f"`points` 的監看器拿到的是 {'、'.join(told)}。它應該仍以連線 `kafka_points` 讀主題 `points`。",
        )
    if not metadata.succeeded_payloads("count_points"):
        raise NotYet(
            en="No run of `count_points` has succeeded yet. Publish to the topic `points`.",
            zh_tw="`count_points` 還沒有任何一次執行成功。對主題 `points` 發布一則吧。",
        )
