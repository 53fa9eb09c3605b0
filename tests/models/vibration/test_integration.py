"""Parseval, and what a tone must read after integration, whether it fits the record or not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.vibration.integration import (
    Band,
    band_rms,
    band_waveform,
    detrended,
    fading,
    hann,
    line_amplitude,
    power_lines,
)
from andon.models.vibration.units import Quantity

BAND = Band(10.0, 1000.0)
ACCELERATION, VELOCITY, DISPLACEMENT = Quantity
TONES = {
    "rate_hz": st.floats(2500, 25_000),
    "duration_s": st.floats(1, 3),
    "tone_hz": st.floats(15, 800),
    "peak": st.floats(0.01, 100),
    "phase": st.floats(0, 2 * np.pi),
}

quick = settings(max_examples=30, deadline=None)


def times(rate_hz: float, duration_s: float) -> np.ndarray:
    return np.arange(int(np.ceil(rate_hz * duration_s))) / rate_hz


def tone(rate_hz: float, duration_s: float, tone_hz: float, peak: float, phase: float) -> np.ndarray:
    wave: np.ndarray = peak * np.cos(2 * np.pi * tone_hz * times(rate_hz, duration_s) + phase)
    return wave


@quick
@given(n=st.integers(4, 3000), seed=st.integers(0, 2**32 - 1), rate_hz=st.floats(1, 1e6))
def test_the_powers_sum_to_the_weighted_mean_square(n: int, seed: int, rate_hz: float) -> None:
    samples = np.random.default_rng(seed).normal(3, 2, n)
    weighted = detrended(samples) * hann(n)
    lines = power_lines(samples, rate_hz)
    assert lines.powers.sum() == pytest.approx((weighted @ weighted) / (hann(n) @ hann(n)))
    assert lines.resolution_hz == pytest.approx(rate_hz / n)


@quick
@given(**TONES)
def test_a_tone_reads_its_level_in_every_quantity(
    rate_hz: float, duration_s: float, tone_hz: float, peak: float, phase: float
) -> None:
    lines = power_lines(tone(rate_hz, duration_s, tone_hz, peak, phase), rate_hz)
    omega = 2 * np.pi * tone_hz
    expected = {ACCELERATION: peak, VELOCITY: 1e3 * peak / omega, DISPLACEMENT: 1e6 * peak / omega**2}
    for target, amplitude in expected.items():
        assert band_rms(lines, BAND, target) == pytest.approx(amplitude / np.sqrt(2), rel=1e-3)
        assert line_amplitude(lines, tone_hz, target) == pytest.approx(amplitude, rel=1e-3)


@quick
@given(**TONES)
def test_differentiation_undoes_integration(
    rate_hz: float, duration_s: float, tone_hz: float, peak: float, phase: float
) -> None:
    lines = power_lines(tone(rate_hz, duration_s, tone_hz, peak, phase), rate_hz, DISPLACEMENT)
    assert band_rms(lines, BAND, VELOCITY) == pytest.approx(peak * 2 * np.pi * tone_hz / 1e3 / np.sqrt(2), rel=1e-3)
    assert line_amplitude(lines, tone_hz, ACCELERATION) == pytest.approx(
        peak * (2 * np.pi * tone_hz) ** 2 / 1e6, rel=1e-3
    )


@quick
@given(seed=st.integers(0, 2**32 - 1), edges=st.lists(st.floats(1, 2499), min_size=1, max_size=6, unique=True))
def test_the_squares_of_band_levels_sum_to_the_total(seed: int, edges: list[float]) -> None:
    lines = power_lines(np.random.default_rng(seed).normal(size=2048), 5000.0)
    limits = [0.0, *sorted(edges), np.inf]
    levels = [band_rms(lines, Band(*pair), ACCELERATION) for pair in pairwise(limits)]
    assert sum(level**2 for level in levels) == pytest.approx(lines.powers.sum() - lines.powers[0] / 2)


@quick
@given(drift=st.floats(-1e3, 1e3), offset=st.floats(-1e3, 1e3))
def test_offset_and_drift_do_not_reach_the_velocity(drift: float, offset: float) -> None:
    wave = tone(4000.0, 1.3, 31.7, 1.0, 0.4)
    moved = wave + offset + drift * times(4000.0, 1.3)
    levels = [band_rms(power_lines(each, 4000.0), BAND, DISPLACEMENT) for each in (wave, moved)]
    assert levels[1] == pytest.approx(levels[0], rel=1e-6)


def test_what_lies_outside_the_band_does_not_count() -> None:
    lines = power_lines(tone(10_000.0, 2.0, 5.0, 10.0, 0.0) + tone(10_000.0, 2.0, 3000.0, 10.0, 0.0), 10_000.0)
    assert band_rms(lines, BAND, VELOCITY) < 1e-3 * 1e3 * 10 / (2 * np.pi * 5)
    assert band_rms(lines, Band(2.0, 1000.0), VELOCITY) == pytest.approx(1e4 / (2 * np.pi * 5) / np.sqrt(2), rel=1e-2)


@quick
@given(line=st.integers(20, 900), phase=st.floats(0, 2 * np.pi))
def test_a_tone_on_the_edge_counts_half_its_power(line: int, phase: float) -> None:
    lines = power_lines(tone(4000.0, 1.0, float(line), 1.0, phase), 4000.0)
    for band in (Band(float(line), 1000.0), Band(10.0, float(line))):
        assert band_rms(lines, band, ACCELERATION) ** 2 == pytest.approx(0.25, rel=1e-6)


def test_white_noise_integrates_as_its_flat_spectrum_does() -> None:
    """The mean square of a velocity is the integral of S / (2 pi f)^2 over the band, here of S = 1 (m/s2)^2/Hz."""
    rate_hz, low, high = 4000.0, 20.0, 1000.0
    windows = np.random.default_rng(2).normal(scale=np.sqrt(rate_hz / 2), size=(400, 8000))
    found = (band_rms(power_lines(windows, rate_hz), Band(low, high), VELOCITY) ** 2).mean()
    assert found == pytest.approx(1e6 / (2 * np.pi) ** 2 * (1 / low - 1 / high), rel=0.02)


def test_windows_are_worked_off_as_single_records_are() -> None:
    windows = np.random.default_rng(0).normal(size=(2, 3, 1024))
    together = band_rms(power_lines(windows, 1000.0), BAND, VELOCITY)
    assert together.shape == (2, 3)
    assert together[1, 2] == pytest.approx(band_rms(power_lines(windows[1, 2], 1000.0), BAND, VELOCITY))


def test_a_line_is_looked_for_within_the_tolerance_only() -> None:
    wave = tone(5000.0, 10.0, 99.0, 1.0, 0.0) + tone(5000.0, 10.0, 100.0, 5.0, 0.0)
    lines = power_lines(wave, 5000.0)
    assert line_amplitude(lines, 99.0, ACCELERATION) == pytest.approx(1.0, rel=1e-3)
    assert line_amplitude(lines, 99.0, ACCELERATION, tolerance=0.02) == pytest.approx(5.0, rel=1e-3)


@quick
@given(tone_hz=st.floats(20, 900), phase=st.floats(0, 2 * np.pi), duration_s=st.floats(1, 2))
def test_the_waveform_of_a_tone_is_that_of_its_integral(tone_hz: float, phase: float, duration_s: float) -> None:
    rate_hz = 5000.0
    wave = tone(rate_hz, duration_s, tone_hz, 1.0, phase)
    velocity = band_waveform(wave, rate_hz, ACCELERATION, VELOCITY, BAND)
    peak = 1e3 / (2 * np.pi * tone_hz)
    expected = peak * np.sin(2 * np.pi * tone_hz * times(rate_hz, duration_s) + phase)
    inner = slice(len(wave) // 4, -len(wave) // 4)
    assert np.abs(velocity - expected)[inner].max() < 0.03 * peak
    again = band_waveform(velocity, rate_hz, VELOCITY, ACCELERATION, BAND)
    assert np.abs(again - wave)[inner].max() < 0.06


def test_a_record_fades_at_its_ends_only() -> None:
    weights = fading(100, 10)
    assert (weights[10:90] == 1).all()
    assert (np.diff(weights[:11]) > 0).all()
    np.testing.assert_array_equal(weights, weights[::-1])
    assert len(fading(3, 10)) == 3
