"""The shrunk covariance against scikit-learn's, and what a whitener must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.health.shrinkage import LEAST_VARIANCE, ledoit_wolf, whitener

SEEDS = st.integers(0, 2**32 - 1)


def deviations(seed: int, rows: int, size: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.asarray(generator.normal(size=(rows, size)) @ generator.normal(size=(size, size)) + 0.3)


@settings(deadline=None)  # the first example imports scikit-learn
@given(SEEDS, st.integers(2, 200), st.integers(1, 12))
def test_the_closed_formula_is_scikit_learns(seed: int, rows: int, size: int) -> None:
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn is in the extra train")
    drawn = deviations(seed, rows, size)
    expected = covariance.LedoitWolf(assume_centered=True).fit(drawn).covariance_
    np.testing.assert_allclose(ledoit_wolf(drawn), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_shrinking_brings_the_covariance_of_few_rows_closer_to_the_truth() -> None:
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(12, 10))
    sample = drawn.T @ drawn / 12
    assert np.linalg.norm(ledoit_wolf(drawn) - np.eye(10)) < 0.5 * np.linalg.norm(sample - np.eye(10))


@given(SEEDS, st.integers(1, 60), st.integers(1, 8))
def test_whitened_rows_have_the_unit_covariance_that_shrinking_leaves(seed: int, rows: int, size: int) -> None:
    drawn = deviations(seed, rows, size)
    scales = np.sqrt((drawn**2).mean(axis=0))
    covariance = (ledoit_wolf(drawn / scales) + LEAST_VARIANCE * np.eye(size)) * np.outer(scales, scales)
    found = whitener(drawn)
    np.testing.assert_allclose(found.T @ covariance @ found, np.eye(size), atol=1e-6)


@settings(deadline=None)
@given(SEEDS, st.lists(st.floats(1e-6, 1e6), min_size=4, max_size=4))
def test_units_do_not_matter(seed: int, factors: list[float]) -> None:
    drawn = deviations(seed, 50, 4)
    before, after = drawn @ whitener(drawn), drawn * factors @ whitener(drawn * factors)
    np.testing.assert_allclose((after**2).sum(axis=1), (before**2).sum(axis=1), rtol=1e-6)


def test_a_feature_that_never_moved_is_left_out_and_the_others_are_as_without_it() -> None:
    drawn = deviations(3, 50, 4)
    with_constant = np.insert(drawn, 2, 0.0, axis=1)
    found = whitener(with_constant)
    assert not found[2].any()
    assert not found[:, 2].any()
    np.testing.assert_array_equal(np.delete(np.delete(found, 2, 0), 2, 1), whitener(drawn))


def test_rows_that_never_move_at_all_give_zeros() -> None:
    assert not whitener(np.zeros((20, 3))).any()


@pytest.mark.parametrize("rows", [1, 2, 400])
def test_sensors_that_repeat_one_another_and_a_single_row_have_a_whitener_too(rows: int) -> None:
    once = np.random.default_rng(0).normal(size=(rows, 1))
    found = whitener(np.hstack([once, -3 * once, once]))
    assert np.isfinite(found).all()
    assert (np.diag(found) > 0).all()
