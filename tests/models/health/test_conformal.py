"""What the threshold promises: its share of alarms, for exchangeable scores and for any scores at all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.health.conformal import adapt, conformal_threshold


def test_a_new_score_exceeds_the_threshold_as_often_as_allowed() -> None:
    generator = np.random.default_rng(0)
    exceeded = [
        new > (conformal_threshold(scores, 0.1) or np.inf)
        for scores, new in zip(generator.exponential(size=(5000, 99)), generator.exponential(size=5000), strict=True)
    ]
    assert 0.087 <= np.mean(exceeded) <= 0.113  # three standard errors around 0.1


def test_the_threshold_is_the_score_of_its_rank_and_never_below_the_lowest() -> None:
    scores = np.random.default_rng(1).permutation(np.arange(1.0, 20.0))
    assert conformal_threshold(scores, 0.05) == 19.0
    assert conformal_threshold(scores, 0.1) == 18.0
    assert conformal_threshold(scores, 1.0) == 1.0
    assert conformal_threshold(scores, 1.2) == 1.0


def test_too_few_scores_or_a_spent_budget_give_no_threshold() -> None:
    assert conformal_threshold(np.arange(98.0), 0.01) is None
    assert conformal_threshold(np.arange(99.0), 0.01) == 98.0
    assert conformal_threshold(np.arange(1000.0), 0.0) is None
    assert conformal_threshold(np.arange(1000.0), -0.004) is None


def alarms(scores: np.ndarray, known: np.ndarray, target: float, gamma: float) -> list[bool]:
    alpha, raised = target, []
    for score in scores:
        threshold = conformal_threshold(known, alpha)
        raised.append(threshold is not None and score > threshold)
        alpha = adapt(alpha, raised[-1], target, gamma)
    return raised


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(50, 400),
    target=st.floats(0.01, 0.2),
    gamma=st.floats(0.005, 0.1),
    slope=st.floats(-1, 1),
)
def test_the_budget_holds_within_the_theorems_bound_whatever_the_scores_do(
    seed: int, length: int, target: float, gamma: float, slope: float
) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.standard_t(2, length) + slope * np.arange(length)
    raised = alarms(scores, generator.normal(size=100), target, gamma)
    # A score below the lowest known one is never alarmed, so the share may fall short of the target, but not exceed it.
    assert np.mean(raised) - target <= (1 + gamma) / (gamma * length)


def test_a_fault_that_stays_is_absorbed_down_to_the_budget() -> None:
    generator = np.random.default_rng(2)
    raised = alarms(generator.normal(50, 1, 4000), generator.normal(size=400), 0.01, 0.005)
    assert raised[:2] == [True, True]
    assert 0.008 <= np.mean(raised) <= 0.012
