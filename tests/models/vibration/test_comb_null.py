"""What noise scores: the shipped table is what a simulation gives, and what real envelopes of noise do."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import binom, kstest

from andon.models.types.vibration import BearingOrders
from andon.models.vibration.bearing_faults import bearing_evidence
from andon.models.vibration.comb import Search, best_comb
from andon.models.vibration.comb_null import N_DRAWS, PERIODS, CombNull, comb_null, draw_scores, encode, tabulate
from andon.models.vibration.envelope import modulation_spectrum, record_envelope

RATE_HZ, N = 4096.0, 8192
SHAFT_HZ = 31.7
ORDERS = BearingOrders(3.5848, 5.4152, 2.3568, 0.39828)
BETWEEN = (31.0, 137.0, 700.0)
"""Periods that are not tabulated."""
quick = settings(max_examples=60, deadline=None)


def white(generator: np.random.Generator) -> np.ndarray:
    return generator.normal(size=N)


def coloured(generator: np.random.Generator) -> np.ndarray:
    """A resonance at 700 Hz and a slope of 1 / f: forty decibels between the highest and the lowest part of the band."""
    resonant = lfilter([1.0], [1.0, -2 * 0.98 * np.cos(2 * np.pi * 700 / RATE_HZ), 0.98**2], generator.normal(size=N))
    return np.asarray(resonant + 10 * lfilter([1.0], [1.0, -0.999], generator.normal(size=N)))


@pytest.mark.parametrize("periods", [float(PERIODS[3]), float(PERIODS[8]), *BETWEEN])
def test_the_shipped_table_is_what_a_simulation_gives(periods: float) -> None:
    """P-values of fresh scores are uniform, at tabulated periods and between them."""
    scores = draw_scores(periods, 1000, np.random.default_rng(12))
    p_values = [comb_null().p_value(score, periods) for score in scores]
    assert kstest(p_values, "uniform").pvalue > 1e-3
    excess = [comb_null().excess(score, periods) for score in scores]
    assert np.mean(excess) == pytest.approx(0, abs=0.13)
    assert np.std(excess) == pytest.approx(1, abs=0.1)


def test_a_table_of_other_settings_is_noticed() -> None:
    """What the test above guards: scores of a search that is half as wide again are not uniform."""
    generator = np.random.default_rng(12)
    lines = [generator.rayleigh(size=800) for _ in range(300)]
    wide = [best_comb(each, 1.0, 137.0, Search(4, 0.03, 0.001)).score for each in lines]
    p_values = [comb_null().p_value(score, 137.0) for score in wide]
    assert kstest(p_values, "uniform").pvalue < 1e-3


def test_tabulating_is_repeatable() -> None:
    periods = np.array([20.0, 40.0])
    first, again = (tabulate(periods, 50, 7) for _ in range(2))
    other = tabulate(periods, 50, 8)
    assert encode(first) == encode(again) != encode(other)
    assert first.scores.shape == (2, len(first.tails))
    assert first.p_value(float("-inf"), 30.0) == pytest.approx(1)
    assert first.p_value(float("inf"), 30.0) == pytest.approx(1 / 51)


def test_a_p_value_is_the_rank_among_the_draws() -> None:
    """(1 + draws at least as high) / (1 + N), to the rounding of ranks to the table's tails."""
    null = tabulate(np.array([30.0, 60.0]), 2000, 3)
    draws = draw_scores(30.0, 2000, np.random.default_rng(3))
    for score in np.quantile(draws, [0.1, 0.5, 0.9, 0.95, 0.99]):
        rank = (1 + np.sum(draws >= score)) / 2001
        assert null.p_value(float(score), 30.0) == pytest.approx(rank, rel=0.08)


def test_the_shipped_table_covers_what_is_asked() -> None:
    null = comb_null()
    assert null.periods == pytest.approx(PERIODS, rel=1e-6)
    assert null.tails[[0, -1]] == pytest.approx([1, 1 / (1 + N_DRAWS)], rel=1e-6)
    assert np.all(np.diff(null.tails) < 0)
    assert np.all(np.diff(null.scores, axis=1) >= 0)
    assert np.all(null.spread > 0)


@quick
@given(st.floats(5, 1e5), st.floats(-1, 4), st.floats(0, 1))
def test_a_higher_score_is_never_likelier(periods: float, score: float, more: float) -> None:
    null = comb_null()
    lower, higher = null.p_value(score + more, periods), null.p_value(score, periods)
    assert 1 / (1 + N_DRAWS) * 0.999 <= lower <= higher <= 1
    assert null.excess(score + more, periods) >= null.excess(score, periods)


@quick
@given(st.integers(0, len(PERIODS) - 2), st.floats(0, 1), st.floats(0.02, 0.98))
def test_between_two_tabulated_periods_the_p_value_lies_between_theirs(
    index: int, share: float, quantile: float
) -> None:
    null = comb_null()
    left, right = null.periods[index : index + 2]
    score = float(np.quantile(null.scores[index : index + 2], quantile))
    between = null.p_value(score, left * (right / left) ** share)
    ends = sorted((null.p_value(score, left), null.p_value(score, right)))
    assert ends[0] * 0.999 <= between <= ends[1] * 1.001


@pytest.mark.parametrize("edge", [0, -1])
def test_beyond_the_table_its_last_row_holds(edge: int) -> None:
    null, factor = comb_null(), (0.1, 10)[edge]
    score = float(null.scores[edge, 60])
    assert null.p_value(score, null.periods[edge] * factor) == pytest.approx(null.tails[60], rel=1e-6)


@pytest.mark.parametrize("draw", [white, coloured])
def test_records_of_noise_keep_the_level(draw: Callable[[np.random.Generator], np.ndarray]) -> None:
    """Through prewhitening, envelope, masks and three faults; within 99.8 % of the binomial distribution at 5 %."""
    n_records = 400
    low = sum(
        bearing_evidence(draw(np.random.default_rng([5, seed])), RATE_HZ, SHAFT_HZ, ORDERS).p_value < 0.05
        for seed in range(n_records)
    )
    assert binom.ppf(0.001, n_records, 0.05) <= low <= binom.ppf(0.999, n_records, 0.05)


def test_lines_of_an_envelope_spectrum_of_noise_are_rayleigh_and_independent() -> None:
    """What the simulation assumes, of coloured noise too."""
    spectra = []
    for seed in range(60):
        squared = record_envelope(coloured(np.random.default_rng([6, seed])), RATE_HZ).squared
        spectra.append(modulation_spectrum(squared)[50:-1])
    lines = np.array(spectra)
    scale = float(np.sqrt(np.mean(lines**2) / 2))
    assert kstest(lines[:, ::40].ravel(), "rayleigh", args=(0, scale)).pvalue > 1e-3
    neighbours = np.corrcoef(lines[:, :-1].ravel(), lines[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.03


def test_another_table_can_be_asked_the_same() -> None:
    null = CombNull(
        np.array([10.0, 1000.0]), np.array([1.0, 0.01]), np.array([[0.0, 2.0], [0.0, 1.0]]), *np.ones((2, 2))
    )
    assert null.p_value(1.0, 10.0) == pytest.approx(0.1)
    assert null.p_value(1.0, 1000.0) == pytest.approx(0.01)
    assert null.p_value(1.5, 100.0) == pytest.approx(0.01), "half way in the logarithm, scores are interpolated"
    assert null.excess(3.0, 100.0) == pytest.approx(2.0)
