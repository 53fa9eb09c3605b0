"""Distances against SciPy, and what contributions must be whatever the baseline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from andon.models.health.mahalanobis import distances

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 9)


def drawn(seed: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five rows, a mean, and a well-conditioned covariance."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(size, size)) + 3 * np.eye(size)
    return generator.normal(size=(5, size)) * 10, generator.normal(size=size), root @ root.T + 0.1 * np.eye(size)


def whitening(covariance: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)).T)


@given(SEEDS, SIZES)
def test_scores_are_scipys(seed: int, size: int) -> None:
    features, mean, covariance = drawn(seed, size)
    expected = [mahalanobis(row, mean, np.linalg.inv(covariance)) for row in features]
    assert distances(features, mean, whitening(covariance)).score == pytest.approx(expected, rel=1e-6)


@given(SEEDS, SIZES)
def test_contributions_add_up_to_the_squared_score(seed: int, size: int) -> None:
    features, mean, covariance = drawn(seed, size)
    measured = distances(features, mean, whitening(covariance))
    scale = np.abs(measured.contributions).sum(axis=1)
    np.testing.assert_allclose(measured.contributions.sum(axis=1), measured.score**2, atol=1e-9 * scale.max())


@given(SEEDS, SIZES)
def test_contributions_do_not_depend_on_which_whitener_is_taken(seed: int, size: int) -> None:
    features, mean, covariance = drawn(seed, size)
    values, directions = np.linalg.eigh(covariance)
    by_cholesky = distances(features, mean, whitening(covariance))
    by_directions = distances(features, mean, directions / np.sqrt(values))
    scale = np.abs(by_cholesky.contributions).max()
    np.testing.assert_allclose(by_directions.contributions, by_cholesky.contributions, atol=1e-8 * scale)


@given(SEEDS, SIZES, st.floats(0.001, 1000))
def test_units_do_not_matter(seed: int, size: int, factor: float) -> None:
    features, mean, covariance = drawn(seed, size)
    whitener = whitening(covariance)
    here, there = distances(features, mean, whitener), distances(features * factor, mean * factor, whitener / factor)
    np.testing.assert_allclose(there.score, here.score, rtol=1e-9)


def test_without_correlation_the_feature_that_moved_is_the_one_named() -> None:
    measured = distances(np.array([[0.0, 6.0, 0.0]]), np.zeros(3), np.diag([1.0, 0.5, 2.0]))
    assert measured.score.tolist() == [3.0]
    assert measured.contributions.tolist() == [[0.0, 9.0, 0.0]]


def test_a_feature_that_makes_the_others_more_likely_counts_below_zero() -> None:
    whitener = whitening(np.array([[1.0, 0.9], [0.9, 1.0]]))
    large, small = distances(np.array([[3.0, 1.0]]), np.zeros(2), whitener).contributions[0]
    assert small < 0 < large
