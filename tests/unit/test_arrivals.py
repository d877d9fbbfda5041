"""Streams of arrivals: repeatable, at the rate that was asked for, and on time."""

from __future__ import annotations

import itertools
import time

import pytest

from labkit import arrivals


def test_a_seed_repeats_its_arrivals_and_another_has_others() -> None:
    assert arrivals.poisson(30, 0.5, 7) == arrivals.poisson(30, 0.5, 7) != arrivals.poisson(30, 0.5, 8)


def test_the_first_arrives_at_once_and_the_rest_in_order_at_the_rate_on_average() -> None:
    offsets = arrivals.poisson(5000, 4, 1)
    assert offsets[0] == 0
    assert offsets == sorted(offsets)
    assert offsets[-1] / 4999 == pytest.approx(0.25, rel=0.05)
    gaps = {round(later - sooner, 3) for sooner, later in itertools.pairwise(offsets)}
    assert len(gaps) > 100, "arrivals at random have gaps of every length"


def test_without_a_seed_they_come_like_a_clock() -> None:
    assert arrivals.poisson(4, 2, None) == [0, 0.5, 1, 1.5]


def test_whoever_is_late_does_not_make_the_next_late() -> None:
    began = time.monotonic()
    due = []
    for position in arrivals.paced([0, 0.05, 0.1, 0.3]):
        due.append((position, time.monotonic() - began))
        if position == 0:
            time.sleep(0.12)  # work that takes longer than the pause
    assert [position for position, _ in due] == [0, 1, 2, 3]
    assert due[3][1] == pytest.approx(0.3, abs=0.05)
