"""A comb is found wherever it stands within two per cent, and nothing that is explained counts for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.vibration.comb import SEARCH, Search, best_comb, without_lines

RESOLUTION_HZ = 0.25
SEEDS = st.integers(0, 2**32 - 1)
OFF = st.floats(-0.98 * SEARCH.slip, 0.98 * SEARCH.slip)
quick = settings(max_examples=60, deadline=None)


def noise(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).rayleigh(size=n)


def planted(seed: int, fundamental_hz: float, height: float = 20.0, harmonics: int = SEARCH.harmonics) -> np.ndarray:
    """Noise up to where a comb needs it, with a line at each harmonic, at the nearest place of the spectrum."""
    spectrum = noise(seed, int(5 * fundamental_hz / RESOLUTION_HZ))
    spectrum[np.rint(np.arange(1, harmonics + 1) * fundamental_hz / RESOLUTION_HZ).astype(int)] = height
    return spectrum


@quick
@given(seed=SEEDS, nominal_hz=st.floats(25, 400), off=OFF)
def test_a_planted_comb_is_found_where_it_stands(seed: int, nominal_hz: float, off: float) -> None:
    """Each line is read to half a line, so the fundamental, to which the fourth tooth counts most, to less than that."""
    actual_hz = nominal_hz * (1 + off)
    comb = best_comb(planted(seed, actual_hz), RESOLUTION_HZ, nominal_hz)
    assert comb.frequency_hz == pytest.approx(actual_hz, abs=RESOLUTION_HZ / 4)
    assert comb.periods == pytest.approx(nominal_hz / RESOLUTION_HZ)
    for number, tooth in enumerate(comb.teeth, start=1):
        assert tooth.frequency_hz == pytest.approx(number * actual_hz, abs=RESOLUTION_HZ)
        assert tooth.ratio == pytest.approx(20 / np.sqrt(2 * np.log(2)), rel=0.5), "over the median of the noise"
    assert comb.score == pytest.approx(np.mean(np.log([tooth.ratio for tooth in comb.teeth])))


@quick
@given(seed=SEEDS, nominal_hz=st.floats(40, 400), off=st.sampled_from([-0.035, 0.035]))
def test_a_comb_beyond_the_slip_is_not_this_fault(seed: int, nominal_hz: float, off: float) -> None:
    """Its lines are 1.5 % away at least; what counts is no more than what noise has."""
    beyond = best_comb(planted(seed, nominal_hz * (1 + off)), RESOLUTION_HZ, nominal_hz)
    within = best_comb(planted(seed, nominal_hz), RESOLUTION_HZ, nominal_hz)
    assert max(tooth.ratio for tooth in beyond.teeth) < 20 / np.sqrt(2 * np.log(2)) / 1.5
    assert beyond.score < within.score - 0.5


@quick
@given(seed=SEEDS, gain=st.floats(1e-9, 1e9))
def test_the_score_ignores_gain_and_the_unit_of_frequency(seed: int, gain: float) -> None:
    spectrum = planted(seed, 87.3)
    comb, louder = best_comb(spectrum, RESOLUTION_HZ, 87.0), best_comb(gain * spectrum, RESOLUTION_HZ, 87.0)
    assert louder.score == pytest.approx(comb.score)
    in_orders = best_comb(spectrum, RESOLUTION_HZ / 25, 87.0 / 25)
    assert in_orders.score == pytest.approx(comb.score)
    assert in_orders.frequency_hz * 25 == pytest.approx(comb.frequency_hz)


def test_the_highest_line_within_the_jitter_counts_for_a_tooth() -> None:
    """0.1 % of 400 Hz, the fourth tooth, is 0.4 Hz: with lines 0.1 Hz apart the reach is four of them, and no more."""
    for away, counts in ((4, True), (6, False)):
        spectrum = np.ones(6000)
        spectrum[[1000, 2000, 3000]] = 50
        spectrum[4000 + away] = 50
        tooth = best_comb(spectrum, 0.1, 100.0, Search(4, 0.0004, 0.001)).teeth[3]
        assert (tooth.ratio == 50) is counts
        assert not counts or tooth.frequency_hz == pytest.approx(400 + 0.1 * away)


def test_at_least_the_neighbouring_lines_count() -> None:
    spectrum = np.ones(300)
    spectrum[[51, 101, 149, 201]] = 9
    comb = best_comb(spectrum, 1.0, 50.0, Search(4, 0.001, 0.0))
    assert [tooth.ratio for tooth in comb.teeth] == [9, 9, 9, 9]


def test_one_line_more_raises_the_score_and_one_alone_counts_for_a_quarter() -> None:
    scores = []
    for count in range(5):
        spectrum = np.ones(2400)
        spectrum[(400 * np.arange(1, count + 1)).astype(int)] = np.e**2
        scores.append(best_comb(spectrum, 1.0, 400.0).score)
    assert scores == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])


@quick
@given(seed=SEEDS, number=st.integers(1, 4))
def test_a_masked_line_never_scores(seed: int, number: int) -> None:
    spectrum = planted(seed, 100.0, height=1e6)
    masked = without_lines(spectrum, RESOLUTION_HZ, [100.0 * number], 0.03)
    teeth = best_comb(masked, RESOLUTION_HZ, 100.0).teeth
    assert teeth[number - 1].ratio == 1.0, "as high as the background, whatever that is"
    assert all(tooth.ratio > 1e5 for place, tooth in enumerate(teeth, start=1) if place != number)


def test_the_background_is_the_median_over_one_fundamental_of_what_is_left() -> None:
    """On a ramp it is the level in the middle, half a fundamental to each side; lines that are masked do not count."""
    ramp = np.arange(2001) / 400
    ramp[[400, 800, 1200, 1600]] *= 10
    masked = without_lines(ramp, 1.0, [590.0, 610.0, 1390.0], 0.01)
    for spectrum in (ramp, masked):
        ratios = [tooth.ratio for tooth in best_comb(spectrum, 1.0, 400.0).teeth]
        assert ratios == pytest.approx([10, 10, 10, 10], rel=0.02)


def test_where_all_is_masked_or_silent_nothing_scores() -> None:
    for spectrum in (np.full(500, np.nan), np.zeros(500)):
        comb = best_comb(spectrum, 1.0, 100.0)
        assert comb.score == 0
        assert [tooth.ratio for tooth in comb.teeth] == [1, 1, 1, 1]
        assert 98 <= comb.frequency_hz <= 102


def test_masking_leaves_the_rest_and_the_argument_alone() -> None:
    spectrum = noise(0, 1000)
    before = spectrum.copy()
    masked = without_lines(spectrum, 0.5, [100.0, 400.0, 499.9, 800.0, 0.0, -60.0], 0.004)
    np.testing.assert_array_equal(spectrum, before)
    gone = np.flatnonzero(np.isnan(masked))
    # One line to each side at the least, 0.4 % of 400 Hz is 1.6 Hz or 3.2 lines, and there is nothing above 500 Hz or below 0.
    assert gone.tolist() == [0, 1, *range(199, 202), *range(797, 804), *range(996, 1000)]
    np.testing.assert_array_equal(np.delete(masked, gone), np.delete(before, gone))


@quick
@given(seed=SEEDS, periods=st.floats(12, 3000))
def test_candidates_stay_in_a_spectrum_that_just_reaches(seed: int, periods: float) -> None:
    """``(harmonics + 1/2) fundamental`` with the slip is enough; a line at its end is in no window that wraps round."""
    spectrum = noise(seed, int(4.5 * (1 + SEARCH.slip) * periods) + 2)
    comb = best_comb(spectrum, 1.0, periods)
    assert comb.frequency_hz == pytest.approx(periods, rel=SEARCH.slip + SEARCH.jitter + 1.5 / periods)
    assert np.isfinite(comb.score)
