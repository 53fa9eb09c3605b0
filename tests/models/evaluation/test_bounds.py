"""Bounds against scipy's own exact test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from andon.models.evaluation.bounds import proportion_interval, trials_without_event, upper_bound


@given(st.integers(1, 3000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_interval_is_clopper_and_pearsons(counts: tuple[int, int]) -> None:
    events, trials = counts
    expected = binomtest(events, trials).proportion_ci(0.95, method="exact")
    low, high = proportion_interval(events, trials)
    assert low == pytest.approx(expected.low, abs=1e-9)
    assert high == pytest.approx(expected.high, abs=1e-9)


@given(st.floats(1e-4, 0.5))
def test_the_number_of_trials_is_the_least_that_bounds(limit: float) -> None:
    needed = trials_without_event(limit)
    assert upper_bound(0, needed) <= limit
    assert needed == 1 or upper_bound(0, needed - 1) > limit


def test_nothing_tried_bounds_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
