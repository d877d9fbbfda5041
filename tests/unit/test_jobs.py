"""Which process is which of Airflow's jobs, found by when they began."""

from __future__ import annotations

import datetime as dt

import pytest

from labkit.airflow.jobs import matched

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("processes", "jobs", "expected"),
    [
        ({}, {1: 0}, {}),
        ({"one": 0}, {}, {}),
        ({"one": 0}, {7: 0.5}, {"one": 7}),
        ({"one": 0.9}, {7: 0.5}, {"one": 7}),  # systems tell when they booted by the second
        ({"one": 0, "two": 40}, {7: 1, 8: 41}, {"one": 7, "two": 8}),
        ({"one": 40, "two": 0}, {7: 1, 8: 41}, {"one": 8, "two": 7}),
        ({"one": 0}, {3: -50, 7: 1}, {"one": 7}),  # 3 is the job of one that died before
        ({"one": 0}, {7: 1, 9: 30}, {"one": 7}),  # 9 is that of another one, which has died since
        ({"one": 0, "two": 40}, {7: 1}, {"one": 7}),  # it has just been started, and has no job yet
        ({"one": 0, "two": 130}, {7: 1, 8: 101}, {"one": 7}),  # 8 was its job before it died
        ({"one": 0, "two": 0.1}, {7: 1, 8: 1.1}, {"one": 7, "two": 8}),
    ],
)
def test_each_process_has_the_first_job_after_its_birth(
    processes: dict[str, float], jobs: dict[int, float], expected: dict[str, int]
) -> None:
    born = {part: at(seconds) for part, seconds in processes.items()}
    began = {job: at(seconds) for job, seconds in jobs.items()}
    assert matched(born, began) == expected
