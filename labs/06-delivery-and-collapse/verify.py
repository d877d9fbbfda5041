"""Looks whether the steps of lab 06 are done; one function a step, named like it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from labkit.notebook import Notebook
from labkit.verify import NotYet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab

MENDED = ("mend_batch", "mend_spacing", "mend_drain", "mend_flush")
BURST = 5
"""How many messages a burst has."""


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
                zh_tw=f"`{dag}` 還沒處理過 {BURST} 張單的突發。",
            )


def _events(metadata: Metadata, name: str) -> int:
    """Return how many events tell of labels with a name in them."""
    query = """
        SELECT count(*) AS events FROM asset_event e JOIN asset a ON a.id = e.asset_id
        WHERE a.name = 'labels' AND e.extra::text LIKE %s
    """
    return int(metadata.rows(query, [f"%{name}%"])[0]["events"])


def exercise_mend(metadata: Metadata, lab: Lab) -> None:
    """Send a burst of labels, and see whether every one is printed; it takes up to half a minute."""
    dag = metadata.dags().get("print_labels")
    if dag is None:
        raise NotYet(en="Airflow knows no Dag `print_labels` yet.", zh_tw="Airflow 還不認得 `print_labels`。")
    if dag["is_paused"]:
        raise NotYet(
            en="The Dag `print_labels` is paused, and a paused Dag has no watcher. Un-pause it in Airflow's interface.",
            zh_tw="Dag `print_labels` 暫停中；暫停的 Dag 沒有監看器。請在 Airflow 介面取消暫停。",
        )
    if not any(one.asset == "labels" for one in metadata.watchers()):
        raise NotYet(
            en="The asset `labels` has no watcher. It comes with the first parse after un-pausing: 30 seconds.",
            zh_tw="資源 `labels` 還沒有監看器。取消暫停之後要等下一次解析，最多 30 秒。",
        )
    stack = Notebook(lab.id)
    name = secrets.token_hex(3)
    sent = [f"{name}-{number}" for number in range(1, BURST + 1)]
    with stack.hold("scheduler"):  # the burst comes between two of its looks
        stack.stream("labels", [{"label": label} for label in sent], rate=1000)
        stack.within(30, lambda: _events(metadata, name))
        # What a trigger yields in one go is written in one go.
        stack.at_rest(lambda: _events(metadata, name), seconds=0.5)
    stack.within(25, lambda: set(sent) <= set(_returned(metadata, "print_labels")))
    missing = [label for label in sent if label not in set(_returned(metadata, "print_labels"))]
    if len(missing) == BURST:
        raise NotYet(
            en=f"{BURST} labels were sent, and none was printed. `./lab logs triggerer -n 20` and the runs of "
            "`print_labels` in Airflow's interface tell why.",
            zh_tw=f"送了 {BURST} 張標籤，一張都沒印。原因在 `./lab logs triggerer -n 20`，或 Airflow 介面裡 "
            "`print_labels` 的執行。",
        )
    if missing:
        raise NotYet(
            en=f"{BURST} labels were sent at once, and {len(missing)} were not printed: {', '.join(missing)}.",
            zh_tw=f"一口氣送了 {BURST} 張標籤，有 {len(missing)} 張沒印：{'、'.join(missing)}。",
        )
