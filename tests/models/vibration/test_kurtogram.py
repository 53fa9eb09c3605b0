"""The band of a planted resonance is found, and neither tones nor noise have one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.vibration.kurtogram import MIN_BAND_SAMPLES, fast_kurtogram

RATE_HZ = 20_000.0
N = 2**15
quick = settings(max_examples=25, deadline=None)


def noise(seed: int, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def tones() -> np.ndarray:
    t = np.arange(N) / RATE_HZ
    wave: np.ndarray = 10 * np.sin(2 * np.pi * 29.37 * t) + 3 * np.sin(2 * np.pi * 1234.3 * t + 1)
    return wave


def bursts(carrier_hz: float, height: float, every: int = 211) -> np.ndarray:
    t = np.arange(200) / RATE_HZ
    burst = height * np.exp(-900 * t) * np.sin(2 * np.pi * carrier_hz * t)
    train = np.zeros(N)
    train[::every] = 1
    return np.convolve(train, burst)[:N]


@quick
@given(st.floats(2000, 9500), st.integers(0, 2**32 - 1))
def test_the_planted_resonance_is_in_the_best_band(carrier_hz: float, seed: int) -> None:
    found = fast_kurtogram(noise(seed) + tones() + bursts(carrier_hz, 6.0), RATE_HZ)
    # The burst is some 600 Hz wide, and half of it may be all that the best band holds.
    assert found.best.low_hz - 600 <= carrier_hz <= found.best.high_hz + 600
    assert found.kurtosis > 1.0
    assert found.best.low_hz < found.centre_hz < found.best.high_hz
    assert found.bandwidth_hz == pytest.approx(found.best.high_hz - found.best.low_hz)


@quick
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_noise_has_no_band(seed: int, sigma: float, offset: float) -> None:
    found = fast_kurtogram(sigma * (noise(seed) + offset), RATE_HZ)
    assert found.kurtosis < 1.0
    assert abs(found.values[0, 0]) < 0.1


def test_the_ends_of_a_record_are_no_impulse() -> None:
    assert fast_kurtogram(tones() + 0.1 * noise(0), RATE_HZ).kurtosis < 1.0


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_gain_changes_nothing(gain: float) -> None:
    samples = noise(1) + bursts(4100.0, 6.0)
    assert fast_kurtogram(gain * samples, RATE_HZ).values == pytest.approx(fast_kurtogram(samples, RATE_HZ).values)


def test_the_rows_are_the_tree() -> None:
    found = fast_kurtogram(noise(0), RATE_HZ, max_level=3)
    np.testing.assert_allclose(2**found.levels, [1, 2, 3, 4, 6, 8])
    assert found.values.shape == (6, 24)
    assert len(np.unique(found.values[2])) == 3


@quick
@given(st.integers(2 * MIN_BAND_SAMPLES, 20_000))
def test_short_records_have_fewer_rows(n: int) -> None:
    found = fast_kurtogram(noise(0, n), RATE_HZ)
    assert n / 2 / 2 ** found.levels.max() >= MIN_BAND_SAMPLES - 1
    assert found.best.high_hz <= RATE_HZ / 2


def test_silence_is_no_impulse() -> None:
    assert fast_kurtogram(np.zeros(N), RATE_HZ).kurtosis == 0.0
