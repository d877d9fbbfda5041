"""Whether the Dags of a lab are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from labkit.airflow.metadata import Metadata
    from labkit.config import Lab


def parsed(database: Metadata, labs: Iterable[Lab], since: dt.datetime) -> bool:
    """Tell whether all Dag files of some labs have been parsed since a time, with success or without."""
    files = {(lab.name, file.name) for lab in labs for file in (lab.folder / "dags").glob("*.py")}
    return files <= database.parsed(since)
