"""The tea shop's own database: an event source of its own, beside Airflow's metadata and in the same server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extras

from labkit.airflow.metadata import make_database
from labkit.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.stack.state import State


def run(
    state: State, statements: str, values: Mapping[str, object] | None = None
) -> tuple[list[str], list[dict[str, Any]]]:
    """Run SQL in the shop's database, in one transaction, and return columns and rows of the last statement.

    Args:
        state: The stack.
        statements: One or several, placeholders as psycopg2 has them. The database is made where it is missing.
        values: For the placeholders.

    Raises:
        LabError: PostgreSQL does not answer, or refuses; its own words are in the message.
    """
    try:
        with contextlib.closing(_connect(state)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statements, values)
            if cursor.description is None:
                return [], []
            return [column.name for column in cursor.description], [dict(row) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        raise LabError("shop.refused", reason=str(error).strip()) from error


def _connect(state: State) -> Any:
    place: dict[str, Any] = {**state.shop_database, "cursor_factory": psycopg2.extras.RealDictCursor}
    try:
        return psycopg2.connect(**place)
    except psycopg2.OperationalError as error:
        if "does not exist" not in str(error):
            raise
    make_database(state, state.shop_database["dbname"])
    return psycopg2.connect(**place)
