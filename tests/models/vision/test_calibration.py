"""The bound on overkill must hold: checked against simulation and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from andon.models.vision.calibration import HELD_OUT, OperatingPoint, calibrate


def point(scores: list[float], budget: float = 0.01) -> OperatingPoint:
    return calibrate(scores, [f"part-{index}" for index in range(len(scores))], budget, HELD_OUT)


@pytest.mark.parametrize(("n_good", "budget"), [(300, 0.01), (500, 0.02), (60, 0.1), (1000, 0.01)])
def test_budget_is_exceeded_in_at_most_one_of_twenty_calibrations(n_good: int, budget: float) -> None:
    generator = np.random.default_rng(0)
    exceeded = 0
    for _ in range(1500):
        threshold = point(list(generator.normal(size=n_good)), budget).threshold
        exceeded += binom_tail(threshold) > budget
    assert exceeded / 1500 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)


def binom_tail(threshold: float) -> float:
    """True overkill of a threshold where good scores are standard normal."""
    from scipy.stats import norm

    return float(norm.sf(threshold))


@given(st.integers(2, 2000), st.sampled_from([0.005, 0.01, 0.02, 0.05, 0.2]))
def test_no_lower_threshold_would_keep_the_budget(n_good: int, budget: float) -> None:
    scores = list(range(n_good))
    found = point([float(score) for score in scores], budget)
    # The chance of at most k rejections where the overkill is exactly the budget: the definition of the exact bound.
    if found.overkill_claim <= budget:
        assert binom.cdf(found.n_rejected, n_good, budget) <= 0.05
        assert binom.cdf(found.n_rejected + 1, n_good, budget) > 0.05
    else:
        assert found.n_rejected == 0
        assert found.threshold == n_good - 1


def test_the_claim_of_too_few_parts_says_how_many_more_are_needed() -> None:
    found = point([float(score) for score in range(188)])
    assert found.overkill_claim == pytest.approx(1 - 0.05 ** (1 / 188))
    assert found.more_good_needed == 299 - 188
    enough = point([float(score) for score in range(299)])
    assert enough.overkill_claim <= 0.01
    assert enough.more_good_needed == 0


def test_ties_at_the_threshold_are_not_rejected() -> None:
    found = point([1.0] * 400 + [2.0] * 400, 0.02)
    assert found.threshold == 2.0
    assert found.n_rejected == 0


def test_one_hidden_defect_shows() -> None:
    found = point([1.0, 1.1, 1.2, 1.3, 9.0])
    assert found.threshold == 9.0
    assert found.threshold_without_top == 1.3
    assert found.highest[0] == ("part-4", 9.0)
