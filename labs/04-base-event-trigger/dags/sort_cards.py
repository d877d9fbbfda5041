"""Four watchers on one folder, twice: each with a look of its own, and all with one look between them."""

from __future__ import annotations

from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAny, AssetWatcher
from tea_triggers.cards import CardTrigger

FOLDER = Path(__file__).parents[3] / "work" / "04-base-event-trigger" / "cards"
KINDS = (".hot", ".cold", ".snack", ".toy")

for share in (False, True):
    way = "shared" if share else "alone"
    cards = [
        Asset(
            f"cards_{way}{kind}",
            watchers=[
                AssetWatcher(name=f"{way}{kind}", trigger=CardTrigger(f"{FOLDER}/{way}", kind, share=share)),
            ],
        )
        for kind in KINDS
    ]
    with DAG(f"cards_{way}", schedule=AssetAny(*cards), catchup=False, is_paused_upon_creation=True, tags=["lab-04"]):
        EmptyOperator(task_id="sort")
