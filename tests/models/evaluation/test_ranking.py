"""Ranking figures against scikit-learn, and intervals against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.evaluation.ranking import (
    auroc,
    auroc_interval,
    average_precision,
    average_precision_interval,
)

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the extra train")
SCORES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_figures_equal_scikit_learns_ties_included(good: list[float], bad: list[float]) -> None:
    labels = [0] * len(good) + [1] * len(bad)
    assert auroc(good, bad) == pytest.approx(metrics.roc_auc_score(labels, good + bad))
    assert average_precision(good, bad) == pytest.approx(metrics.average_precision_score(labels, good + bad))


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    truth = 0.9213503964748574  # of two normal distributions a distance of 2 apart: Phi(2 / sqrt 2)
    covered = 0
    for _ in range(600):
        value = auroc(generator.normal(0, 1, 60), generator.normal(2, 1, 60))
        low, high = auroc_interval(value, 60, 60)
        covered += low <= truth <= high
    assert 0.92 <= covered / 600 <= 0.995


def test_a_perfect_ranking_has_an_honest_lower_end() -> None:
    assert auroc_interval(1.0, 10, 10).high == 1.0
    assert auroc_interval(1.0, 10, 10).low < auroc_interval(1.0, 1000, 1000).low < 1.0
    assert auroc_interval(0.0, 10, 10).low == 0.0


def test_interval_of_average_precision_holds_its_value_and_repeats() -> None:
    generator = np.random.default_rng(1)
    good, bad = generator.normal(0, 1, 50), generator.normal(1.5, 1, 30)
    low, high = average_precision_interval(good, bad)
    assert low < average_precision(good, bad) < high
    assert average_precision_interval(good, bad) == (low, high)
