"""`lab.cost()`: what was begun to be counted is ended, whatever happens."""

from __future__ import annotations

from typing import Self

import pytest

from labkit import notebook
from labkit.notebook import Cost
from labkit.stack.state import State


class Rows:
    """Stands for the count of rows, and notes whether it was ended."""

    ended = 0

    def __init__(self, _: State) -> None:
        type(self).ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        type(self).ended += 1

    def count(self) -> dict[str, int]:
        """Return what was counted."""
        return {"dag_run": 3}


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Changes", Rows)


def test_containers_have_their_rows_counted_and_no_statements() -> None:
    with Cost(State("x", "/nowhere", lane="compose")) as cost:
        assert not Rows.ended
    assert (cost.rows, cost.statements, Rows.ended) == ({"dag_run": 3}, {}, 1)


def test_rows_are_not_counted_on_where_statements_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: State) -> None:
        raise OSError("no log")

    monkeypatch.setattr(notebook, "Statements", refuse)
    with pytest.raises(OSError, match="no log"), Cost(State("x", "/nowhere")):
        pytest.fail("it begins to count although it cannot")
    assert Rows.ended == 1
