"""Tables in notebooks show their cells whole."""

from __future__ import annotations

import pandas as pd

from labkit import notebook

PAYLOAD = {"bucket": "menus", "keys": [f"menu-of-the-{number}th-week.json" for number in range(5)]}


def test_a_cell_is_shown_whole_in_a_table_and_in_what_is_made_of_it() -> None:
    with pd.option_context("display.max_colwidth", 50):
        notebook.Notebook("04")
        table = notebook._frame(["asset", "payload"], [{"asset": "uploads", "payload": PAYLOAD}])
        for shown in (table, table[["payload"]], table.reset_index(), pd.DataFrame({"value": [PAYLOAD]})):
            assert "menu-of-the-4th-week.json" in shown._repr_html_()
            assert "menu-of-the-4th-week.json" in repr(shown)
