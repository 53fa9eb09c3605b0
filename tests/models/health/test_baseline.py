"""What is learned from healthy rows, and that its scores are those of rows it has not seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.health.baseline import Baseline, learn_baseline, smooth
from andon.models.health.mahalanobis import Floats, distances
from andon.models.health.settings import FeatureContract, HealthSettings, Source, Transform

FROZEN = HealthSettings(smoothing=1.0, tracking=0.0)
FOLLOWING = HealthSettings()


def contract(size: int, transform: Transform = Transform.IDENTITY) -> FeatureContract:
    return FeatureContract(Source.COLUMNS, tuple(map(str, range(size))), (transform,) * size)


def learn(features: Floats, settings: HealthSettings = FROZEN) -> Baseline:
    return learn_baseline(features, contract(features.shape[1]), settings, distances)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_smoothing_is_the_recursion_that_later_rows_go_through(seed: int, weight: float) -> None:
    rows = np.random.default_rng(seed).normal(size=(20, 3))
    average, expected = rows[0], []
    for row in rows:
        average = average + weight * (row - average)
        expected.append(average)
    np.testing.assert_allclose(smooth(rows, weight), expected, atol=1e-12)


def test_a_frozen_level_is_the_mean_of_the_rows() -> None:
    rows = np.random.default_rng(0).normal(7, 2, size=(400, 3))
    np.testing.assert_allclose(learn(rows).mean, rows.mean(axis=0))


def test_a_level_that_follows_ends_where_the_last_rows_were() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 1)) + np.where(np.arange(400) < 100, 0, 50)[:, None]
    assert abs(learn(rows, FOLLOWING).mean[0] - 50) < 1
    assert learn(rows).mean[0] == pytest.approx(37.5, abs=0.5)


def test_scores_are_those_of_rows_that_were_not_seen() -> None:
    """With 60 rows of 20 correlated features, rows score too low by the covariance they went into; scores must not."""
    generator = np.random.default_rng(1)
    root = np.linalg.cholesky(0.9 + 0.1 * np.eye(20)).T
    own, calibrating, fresh = [], [], []
    for _ in range(20):
        rows = generator.normal(size=(60, 20)) @ root
        baseline = learn(rows)
        own.append(distances(rows, baseline.mean, baseline.whitener).score.mean())
        calibrating.append(baseline.scores.mean())
        later = generator.normal(size=(60, 20)) @ root
        fresh.append(distances(later, baseline.mean, baseline.whitener).score.mean())
    assert np.mean(own) < 0.9 * np.mean(fresh)
    assert np.mean(calibrating) == pytest.approx(np.mean(fresh), rel=0.07)


def test_scores_are_kept_from_no_more_rows_than_a_machine_learns_from() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    baseline = learn(rows)
    assert len(baseline.scores) == FROZEN.commissioning_rows
    assert baseline.n_rows == 1000


def test_standardised_scores_have_the_median_at_zero_and_the_spread_of_a_normal_distribution_at_one() -> None:
    scores = np.random.default_rng(0).normal(10, 3, 100_001)
    baseline = Baseline(np.zeros(1), np.eye(1), scores, np.ones(1), 1)
    assert baseline.standardised(float(np.median(scores))) == 0
    assert baseline.spread == pytest.approx(3, rel=0.02)
    assert baseline.standardised(16) == pytest.approx(2, abs=0.05)


def test_a_single_wild_score_does_not_stretch_the_scale() -> None:
    scores = np.random.default_rng(0).normal(10, 3, 400)
    calm = Baseline(np.zeros(1), np.eye(1), scores, np.ones(1), 1)
    wild = Baseline(np.zeros(1), np.eye(1), np.append(scores[:-1], 1e6), np.ones(1), 1)
    assert wild.standardised(16) == pytest.approx(calm.standardised(16), rel=0.05)


def test_a_quarter_of_the_level_may_drift_but_never_less_than_six_deviations() -> None:
    generator = np.random.default_rng(0)
    steady, about_zero = generator.normal(100, 0.1, 400), generator.normal(0, 2, 400)
    limits = learn(np.stack([steady, about_zero], axis=1)).drift_limits
    assert limits == pytest.approx([25, 12], rel=0.1)


def test_a_logarithm_may_drift_by_that_of_five_quarters() -> None:
    logs = np.random.default_rng(0).normal(np.log(3), 0.001, size=(400, 1))
    baseline = learn_baseline(logs, contract(1, Transform.LOG), FROZEN, distances)
    assert baseline.drift_limits == pytest.approx([np.log(1.25)])


def test_sensors_that_never_moved_are_left_out_of_the_score_whatever_they_read() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2))
    dead = np.tile(np.linspace(-3, 70, 50), (400, 1))
    with_dead, without = learn(np.hstack([rows, dead]), FOLLOWING), learn(rows, FOLLOWING)
    assert not with_dead.whitener[2:].any()
    np.testing.assert_allclose(with_dead.scores, without.scores, rtol=1e-9)


def test_dead_sensors_have_no_spread_even_if_one_row_differs() -> None:
    dead = np.full((400, 2), np.log(2.1))
    assert learn(dead, FOLLOWING).spread == 0
    dead[-1] = 9
    assert learn(dead, FOLLOWING).spread == 0
