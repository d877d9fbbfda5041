"""What a notebook says of the triggerers that run, and of one that a cell has ended before."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from IPython.lib.pretty import pretty

from labkit import i18n
from labkit.errors import LabError
from labkit.notebook import Notebook


def having(jobs: dict[str, int]) -> Notebook:
    """Return the notebook of a stack that has these triggerers, in name only."""
    lab = Notebook("07")
    lab.__dict__["_stack"] = SimpleNamespace(triggerers=lambda: jobs)
    return lab


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize(("jobs", "running"), [({"triggerer-2": 9}, "`triggerer-2`"), ({}, "-")])
def test_who_asks_for_a_triggerer_that_has_ended_is_told_what_to_do(
    jobs: dict[str, int], running: str, language: i18n.Language
) -> None:
    i18n.use(language)
    with pytest.raises(LabError) as told:
        having(jobs).triggerers()["triggerer"]
    wanted = i18n.catalogue()["notebook.not_running"][language]
    assert str(told.value) == wanted.format(part="triggerer", running=running)
    assert 'lab.start("triggerer")' in str(told.value)


def test_else_it_is_a_dictionary_and_looks_like_one() -> None:
    jobs = {"triggerer": 8, "triggerer-2": 9}
    found = having(jobs).triggerers()
    assert found == jobs
    assert found["triggerer"] == 8
    assert found.get("other") is None
    assert pretty(found) == pretty(jobs), "the page shows it"
