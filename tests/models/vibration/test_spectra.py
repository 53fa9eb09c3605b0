"""Spectra keep power and amplitude, and lines stand out of a background that does not see them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.types.vibration import Unit
from andon.models.vibration.integration import power_lines
from andon.models.vibration.spectra import (
    Spectrum,
    amplitude_spectrum,
    background,
    level_over_background_db,
    power_density,
)

RATE_HZ = 5000.0
quick = settings(max_examples=30, deadline=None)


def noise(seed: int, seconds: float = 8.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=int(seconds * RATE_HZ))


def tone(tone_hz: float, peak: float, seconds: float = 8.0) -> np.ndarray:
    wave: np.ndarray = peak * np.sin(2 * np.pi * tone_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)
    return wave


@quick
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_the_density_integrates_to_the_mean_square(seed: int, sigma: float, offset: float) -> None:
    spectrum = power_density(sigma * (noise(seed) + offset), RATE_HZ, Unit.M_S2)
    assert spectrum.values.sum() * spectrum.resolution_hz == pytest.approx(sigma**2, rel=0.05)
    assert spectrum.resolution_hz == pytest.approx(1.0)
    assert spectrum.unit == "(m/s2)2/Hz"


@quick
@given(st.floats(20, 2400), st.floats(0.1, 10))
def test_a_tone_keeps_its_power_in_the_density(tone_hz: float, peak: float) -> None:
    spectrum = power_density(tone(tone_hz, peak), RATE_HZ, Unit.MM_S)
    assert spectrum.values.sum() * spectrum.resolution_hz == pytest.approx(peak**2 / 2, rel=0.01)
    assert spectrum.frequencies_hz[np.argmax(spectrum.values)] == pytest.approx(tone_hz, abs=0.5 + 1e-6)


def test_a_record_shorter_than_a_segment_is_one_segment() -> None:
    spectrum = power_density(noise(0, 0.5), RATE_HZ, Unit.G)
    assert spectrum.resolution_hz == pytest.approx(2.0)


@quick
@given(st.floats(20, 2400), st.floats(0.1, 10))
def test_an_amplitude_reads_itself_or_up_to_15_percent_less(tone_hz: float, peak: float) -> None:
    spectrum = amplitude_spectrum(power_lines(tone(tone_hz, peak), RATE_HZ), Unit.MM_S)
    assert 0.848 * peak <= spectrum.values.max() <= 1.001 * peak
    on_line = amplitude_spectrum(power_lines(tone(round(tone_hz), peak), RATE_HZ), Unit.MM_S)
    assert on_line.values.max() == pytest.approx(peak, rel=1e-6)


@quick
@given(st.lists(st.integers(100, 2400), min_size=1, max_size=4, unique=True), st.floats(0.5, 5))
def test_lines_do_not_lift_the_background(lines_hz: list[int], peak: float) -> None:
    plain, lined = (
        amplitude_spectrum(power_lines(samples, RATE_HZ), Unit.M_S2)
        for samples in (noise(0), noise(0) + sum(tone(each, peak) for each in lines_hz))
    )
    np.testing.assert_allclose(background(lined), background(plain), rtol=0.1)
    level = level_over_background_db(lined)
    for line_hz in lines_hz:
        place = round(line_hz / lined.resolution_hz)
        assert level[place] == pytest.approx(20 * np.log10(peak / background(plain)[place]), abs=1.5)


def test_levels_of_nothing() -> None:
    values = np.zeros(1000)
    values[500] = 1.0
    level = level_over_background_db(Spectrum(np.arange(1000.0), values, "g"))
    assert level[500] == np.inf
    assert (np.delete(level, 500) == 0).all()
