"""Looks whether the steps of lab 06 are done; one function a step, named like it."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from labkit.notebook import Notebook
from labkit.verify import NotYet, TooBusy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

MENDED = ("mend_batch", "mend_spacing", "mend_drain", "mend_flush")
BURST = 5
"""How many messages a burst has."""
QUIET = 10.0
"""Seconds without a run that is to come or has not ended, after which no label will be printed any more: a flush that
comes when it is quiet needs some."""
NO_ORDERS = (b"malformed", b"\xff\xfe", b"{}")
"""Messages that nobody can use: no JSON, no UTF-8, no order."""


def _returned(metadata: Metadata, dag: str) -> list[Any]:
    """Return all that a Dag's tasks returned, in one list."""
    rows = metadata.rows("SELECT value FROM xcom WHERE dag_id = %s AND key = 'return_value'", [dag])
    return list(_flat([row["value"] for row in rows]))


def _flat(value: Any) -> Iterator[Any]:
    """Yield what lists in lists hold; a value from the database may still be text."""
    if isinstance(value, str):
        try:
            decoded = json.loads(value)
        except ValueError:
            decoded = value
        value = decoded if isinstance(decoded, list) else value
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def stranded(metadata: Metadata, lab: Lab) -> None:
    """Check that a run took along events that had been left behind."""
    del lab
    query = """
        SELECT 1 FROM dag_run r JOIN dagrun_asset_event link ON link.dag_run_id = r.id
        WHERE r.dag_id = 'take_one_by_one' GROUP BY r.id HAVING count(*) > 1 LIMIT 1
    """
    if not metadata.rows(query):
        raise NotYet(
            en="No run of `take_one_by_one` has taken along events that had been left behind.",
            zh_tw="`take_one_by_one` 還沒有任何一次執行，順手帶走先前被擱下的事件。",
        )


def mended(metadata: Metadata, lab: Lab) -> None:
    """Check that each workaround handled as many tickets as a burst has."""
    del lab
    for dag in MENDED:
        if len(set(_returned(metadata, dag))) < BURST:
            raise NotYet(
                en=f"`{dag}` has not handled a burst of {BURST} tickets yet.",
                zh_tw=f"`{dag}` 還沒處理過 {BURST} 張單的連發。",
            )


def _watched(metadata: Metadata, dag: str, asset: str) -> None:
    """Raise unless a Dag is un-paused and its asset has a watcher."""
    found = metadata.dags().get(dag)
    if found is None:
        raise NotYet(en=f"Airflow knows no Dag `{dag}` yet.", zh_tw=f"Airflow 還不認得 `{dag}`。")
    if found["is_paused"]:
        raise NotYet(
            en=f"The Dag `{dag}` is paused, and a paused Dag has no watcher. Un-pause it in Airflow's interface.",
            zh_tw=f"Dag `{dag}` 暫停中；暫停的 Dag 沒有監看器。請在 Airflow 介面取消暫停。",
        )
    if not any(one.asset == asset for one in metadata.watchers()):
        raise NotYet(
            en=f"The asset `{asset}` has no watcher. It comes with the first parse after un-pausing: 30 seconds.",
            zh_tw=f"資源 `{asset}` 還沒有監看器。取消暫停之後要等下一次解析，最多 30 秒。",
        )


def _stored(metadata: Metadata, sent: list[str]) -> int:
    """Return of how many of these labels there is an event, alone or with others."""
    query = """
        SELECT e.extra::text AS extra FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'labels' AND e.extra::text LIKE %s
    """
    mark = sent[0].partition("-")[0]
    extras = [row["extra"] for row in metadata.rows(query, [f"%{mark}%"])]
    return sum(any(label in extra for extra in extras) for label in sent)


def _unfinished(metadata: Metadata, dag: str) -> int:
    """Return how many runs of a Dag are to come or have not ended."""
    query = """
        SELECT (SELECT count(*) FROM asset_dag_run_queue WHERE target_dag_id = %s)
             + (SELECT count(*) FROM dag_run WHERE dag_id = %s AND state IN ('queued', 'running')) AS runs
    """
    return int(metadata.rows(query, [dag, dag])[0]["runs"])


def _burst(metadata: Metadata, stack: Notebook, sent: list[str]) -> None:
    """Send labels while the scheduler looks away, and wait until their events are there."""
    with stack.hold("scheduler"):
        stack.stream("labels", [{"label": label} for label in sent], rate=1000)
        stack.within(30, lambda: _stored(metadata, sent))
        # The scheduler has missed what came in one go. What comes a second later may have a look to itself.
        stack.at_rest(lambda: _stored(metadata, sent), seconds=1)
    stack.within(30, lambda: _stored(metadata, sent) == len(sent))


def exercise_mend(metadata: Metadata, lab: Lab) -> None:
    """Send a burst of labels, and see whether every one is printed; it takes up to a minute."""
    _watched(metadata, "print_labels", "labels")
    stack = Notebook(lab.id)
    name = secrets.token_hex(3)
    sent = [f"{name}-{number}" for number in range(1, BURST + 1)]
    _burst(metadata, stack, sent)

    def missing() -> list[str]:
        printed = set(_returned(metadata, "print_labels"))
        return [label for label in sent if label not in printed]

    busy = time.monotonic()

    def is_over() -> bool:
        nonlocal busy
        if _unfinished(metadata, "print_labels"):
            busy = time.monotonic()
        return not missing() or time.monotonic() - busy > QUIET

    if not stack.within(60, is_over):
        raise TooBusy
    left = missing()
    if len(left) == BURST:
        raise NotYet(
            en=f"{BURST} labels were sent, and none was printed. `./lab logs triggerer -n 20` and the runs of "
            "`print_labels` in Airflow's interface tell why.",
            zh_tw=f"送了 {BURST} 張標籤，一張都沒印。原因在 `./lab logs triggerer -n 20`，或 Airflow 介面裡 "
            "`print_labels` 的執行。",
        )
    if left:
        raise NotYet(
            en=f"{BURST} labels were sent at once, and {len(left)} were not printed: {', '.join(left)}.",
            zh_tw=f"一口氣送了 {BURST} 張標籤，有 {len(left)} 張沒印：{'、'.join(left)}。",
        )


def _order_in(value: Any) -> str | None:
    """Return the order that a message tells of, None where it tells of none."""
    try:
        order = json.loads(value)
    except (TypeError, ValueError):
        return None
    return order.get("order_id") if isinstance(order, dict) else None


def _told(metadata: Metadata, asset: str) -> Counter[str]:
    """Return how many of an asset's events tell of each order."""
    query = """
        SELECT e.extra::jsonb ->> 'payload' AS payload FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = %s
    """
    return Counter(order for row in metadata.rows(query, [asset]) if (order := _order_in(row["payload"])))


def _count(stack: Notebook, table: str, order: str) -> int:
    """Return how many rows of a table in the shop's database are an order's; none where there is no table."""
    if stack.shop("SELECT to_regclass(:name) AS found", name=table).found[0] is None:
        return 0
    return int(stack.shop(f"SELECT count(*) AS rows FROM {table} WHERE order_id = :it", it=order).rows[0])  # noqa: S608  our own name


def lost(metadata: Metadata, lab: Lab) -> None:
    """Check that the group of `plain` is past an order that Airflow has no event of."""
    stack = Notebook(lab.id)
    letters = stack.letters("plain")
    done = letters[letters["letter"] < stack.committed("plain", "kafka_plain")]
    sent = {order for value in done["value"] if (order := _order_in(value))}
    if not sent - _told(metadata, "plain_orders").keys():
        raise NotYet(
            en="Of every order that the group `kafka_plain` has committed, Airflow has an event.",
            zh_tw="群組 `kafka_plain` 提交過的每一張單，Airflow 都有事件。",
        )


def once(metadata: Metadata, lab: Lab) -> None:
    """Check that an order with two events was served once."""
    stack = Notebook(lab.id)
    twice = [order for order, events in _told(metadata, "careful_orders").items() if events > 1]
    if not any(_count(stack, "served_once", order) == 1 for order in twice):
        raise NotYet(
            en="No order has two events on `careful_orders` and one row in `served_once`.",
            zh_tw="還沒有哪張單，在 `careful_orders` 有兩個事件、在 `served_once` 只有一列。",
        )


def dead_letter(metadata: Metadata, lab: Lab) -> None:
    """Check that a letter has its reason, and that the group is past the message that it was."""
    del metadata
    stack = Notebook(lab.id)
    letters = stack.letters("careful-dead").to_dict("records")
    done = stack.committed("careful", "kafka_careful")
    if not any(one.get("reason") and int(one["offset"]) < done for one in letters):
        raise NotYet(
            en="`careful-dead` has no letter with a `reason` that the group `kafka_careful` has committed.",
            zh_tw="`careful-dead` 裡，還沒有附 `reason`、而且群組 `kafka_careful` 已經提交過的信件。",
        )


def exercise_once(metadata: Metadata, lab: Lab) -> None:
    """Cut the database below one order, then send doubles and what is no order; it takes up to a minute."""
    _watched(metadata, "serve_terrace", "terrace_orders")
    groups = {one.get("kafka_config_id") for one in metadata.watcher_arguments("serve_terrace", "terrace_orders")}
    if groups != {"kafka_terrace"}:
        named = ", ".join(f"`{one}`" for one in sorted(map(str, groups)))
        raise NotYet(
            en=f"The watcher uses the connection {named}. `kafka_terrace` has a consumer group that is nobody else's.",
            zh_tw=f"監看器用的連線是 {named}。`kafka_terrace` 的消費者群組，才沒有別人在用。",
        )
    stack = Notebook(lab.id)
    mark = secrets.token_hex(3)
    _survives(stack, f"{mark}-1")
    _keeps_doubles_out(stack, f"{mark}-2", f"{mark}-3")
    _puts_aside(stack, f"{mark}-4")


def _poured(stack: Notebook, order: str) -> int:
    return _count(stack, "terrace_cups", order)


def _send(stack: Notebook, *orders: str) -> None:
    stack.send("terrace", *(json.dumps({"order_id": order}) for order in orders))


def _survives(stack: Notebook, order: str) -> None:
    """Raise unless an order is served whose event the database failed over under."""
    with stack.gate() as gate:
        _send(stack, order)
        if not stack.within(40, gate.waiting):
            raise NotYet(
                en=f"Order {order} was sent to `terrace`, and for 40 s no event came. `./lab logs triggerer -n 20`.",
                zh_tw=f"單 {order} 送到 `terrace` 了，40 秒內沒有事件。看 `./lab logs triggerer -n 20`。",
            )
        told_done = stack.committed("terrace", "kafka_terrace") == stack.end("terrace")
        gate.cut()
    if told_done:
        raise NotYet(
            en=f"Kafka was told that order {order} is done, and no event of it was stored. Then the database failed "
            "over, and the order is lost. Another trigger says so later.",
            zh_tw=f"單 {order} 的事件還沒存好，就已經跟 Kafka 說好了。這時資料庫一切換，單就沒了。"
            "換一種晚一點才說的觸發器。",
        )
    if not stack.within(90, lambda: _poured(stack, order)):
        raise NotYet(
            en=f"The database failed over under order {order}, and in 90 s no cup was poured. See the newest run of "
            "`serve_terrace`, and `./lab logs triggerer -n 20`.",
            zh_tw=f"單 {order} 碰上資料庫切換，過了 90 秒一杯都沒有。看 `serve_terrace` 最近的執行，"
            "還有 `./lab logs triggerer -n 20`。",
        )


def _keeps_doubles_out(stack: Notebook, double: str, last: str) -> None:
    """Raise unless an order that is sent twice and then again has one cup, and the one behind it has one, too."""
    _send(stack, double, double)
    stack.within(20, lambda: _poured(stack, double))
    _send(stack, double, last)
    stack.within(20, lambda: _poured(stack, last))
    cups = stack.at_rest(lambda: {order: _poured(stack, order) for order in (double, last)}, seconds=4)
    for order, sent in ((double, 3), (last, 1)):
        if cups[order] > 1:
            raise NotYet(
                en=f"Order {order} was sent {sent} times and got {cups[order]} cups.",
                zh_tw=f"單 {order} 送了 {sent} 次，倒了 {cups[order]} 杯。",
            )
        if not cups[order]:
            raise NotYet(
                en=f"Order {order} got no cup. Two events between two looks of the scheduler are one run, and it is "
                "given one of them. Does your task look for the others?",
                zh_tw=f"單 {order} 一杯都沒有。兩個事件落在排程器兩次巡視之間，只有一次執行，也只拿到其中一個。"
                "你的任務有去找其他的嗎？",
            )


def _puts_aside(stack: Notebook, order: str) -> None:
    """Raise unless what is no order is a dead letter with a reason, once, and the order behind it is served."""
    for message in NO_ORDERS:
        (sent,) = stack.send("terrace", message)
        text = message.decode(errors="backslashreplace")

        def letters(offset: int = sent.offset) -> list[dict[str, Any]]:
            found = stack.letters("terrace-dead").to_dict("records")
            return [one for one in found if one.get("topic") == "terrace" and one.get("offset") == str(offset)]

        if not stack.within(20, letters):
            raise NotYet(
                en=f"`{text}` was sent to `terrace` and is no order. In 20 s it did not come to `terrace-dead` with "
                "its reason and its offset.",
                zh_tw=f"`{text}` 不是訂單，送到 `terrace` 之後 20 秒，`terrace-dead` 裡還沒有附原因和位移的這一則。",
            )
    _send(stack, order)
    if not stack.within(30, lambda: _poured(stack, order)):
        raise NotYet(
            en=f"Order {order} came behind messages that are no orders, and got no cup.",
            zh_tw=f"單 {order} 排在不是訂單的訊息後面，一杯都沒有。",
        )
