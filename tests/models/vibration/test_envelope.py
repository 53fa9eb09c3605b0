"""Impacts show where they repeat, whatever the gain, the colour and the resonance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft
from scipy.signal import lfilter
from scipy.special import hyp2f1

from andon.models.vibration.bearing_faults import impulsive_from
from andon.models.vibration.envelope import MAX_BAND_HZ, ics2, modulation_spectrum, squared_envelope

RATE_HZ = 12_000.0
N = 12_000
SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=30, deadline=None)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape or (N,)))


def impacts(seed: int, fault_hz: float = 87.0, strength: float = 4.0, rate_hz: float = RATE_HZ) -> np.ndarray:
    """A resonance at 3 kHz, rung at ``fault_hz`` for a second, in noise."""
    n = int(rate_hz)
    hits = np.zeros(n)
    hits[(np.arange(0, 1, 1 / fault_hz) * rate_hz).astype(int)] = strength
    pole = np.exp((-300 + 2j * np.pi * 3000) / rate_hz)
    ringing: np.ndarray = lfilter([1.0], [1.0, -2 * pole.real, abs(pole) ** 2], hits)
    return np.asarray(ringing + noise(seed, n))


@quick
@given(modulation_bins=st.integers(3, 300), depth=st.floats(0.05, 0.9), phase=st.floats(0, 6), seed=SEEDS)
def test_modulated_noise_shows_its_depth_at_its_frequency(
    modulation_bins: int, depth: float, phase: float, seed: int
) -> None:
    """Modulation makes bins that are it apart correlate, by r = d / (1 + d^2 / 2).

    What remains of that where the phases alone are kept is r (pi / 4) F(1/2, 1/2; 2; r^2), as for any two Gaussian numbers.
    """
    wave = 1 + depth * np.cos(2 * np.pi * modulation_bins * np.arange(N) / N + phase)
    squared = squared_envelope(wave * noise(seed), RATE_HZ)
    share = depth / (1 + depth**2 / 2)
    expected = 2 * share * np.pi / 4 * hyp2f1(0.5, 0.5, 2, share**2)
    noise_rms = 2 / np.sqrt(len(squared))
    assert modulation_spectrum(squared)[modulation_bins] == pytest.approx(expected, abs=4 * noise_rms)


def test_a_carrier_without_noise_has_a_squared_envelope_of_impacts() -> None:
    """An amplitude-modulated tone is three lines; whitened, they are equally high: 3 + 4 cos + 2 cos 2 over 3."""
    time = np.arange(N) / RATE_HZ
    tone = (1 + 0.5 * np.cos(2 * np.pi * 40 * time)) * np.cos(2 * np.pi * 3000 * time)
    spectrum = modulation_spectrum(squared_envelope(tone, RATE_HZ))
    assert spectrum[[40, 80]] == pytest.approx([4 / 3, 2 / 3], rel=1e-6)
    assert np.delete(spectrum, [40, 80]).max() < 1e-6


@quick
@given(seed=SEEDS, gain=st.floats(1e-9, 1e9), shift=st.floats(-10, 10))
def test_gain_offset_and_colour_have_no_influence(seed: int, gain: float, shift: float) -> None:
    """A filter with zero phase changes magnitudes alone, and those are set to one."""
    record = noise(seed)
    colour = 10 ** np.random.default_rng(seed).uniform(-1, 1, N // 2 + 1)
    coloured = fft.irfft(fft.rfft(record) * colour, N)
    expected = squared_envelope(record, RATE_HZ)
    np.testing.assert_allclose(squared_envelope(gain * (coloured + shift), RATE_HZ), expected, rtol=1e-4, atol=1e-4)


def test_every_bin_of_the_band_weighs_the_same() -> None:
    """The squared envelope is the inverse transform of the bins over their magnitude, and nothing else."""
    record = impacts(0)
    bins = fft.rfft(record)[1:]
    analytic = fft.ifft(bins / np.abs(bins))
    np.testing.assert_allclose(squared_envelope(record, RATE_HZ), np.abs(analytic) ** 2 * (N // 2), rtol=1e-8)


def test_a_whine_does_not_hide_the_impacts() -> None:
    """A tone sixty decibels above them fills a raw envelope; whitened, it is one bin among thousands."""
    whine = 1000 * np.cos(2 * np.pi * 1234 * np.arange(N) / RATE_HZ)
    spectrum = modulation_spectrum(squared_envelope(impacts(1, strength=8.0) + whine, RATE_HZ))
    assert np.argmax(spectrum) % 87 == 0
    assert spectrum[[87, 174, 261]].min() > 3 * np.median(spectrum)


@quick
@given(seed=SEEDS, n=st.integers(8, 5000), rate_hz=st.floats(100, 1e6), gain=st.floats(1e-6, 1e6))
def test_the_mean_is_one_and_the_length_follows_the_band(seed: int, n: int, rate_hz: float, gain: float) -> None:
    squared = squared_envelope(gain * noise(seed, n), rate_hz)
    in_band = min(n // 2, int(MAX_BAND_HZ * n / rate_hz))
    assert squared.shape == (fft.next_fast_len(max(1, in_band)),)
    assert squared.mean() == pytest.approx(1)
    assert modulation_spectrum(squared).shape == (len(squared) // 2 + 1,)


def test_what_lies_above_the_band_has_no_influence() -> None:
    rate_hz = 97_656.0
    record = impacts(3, rate_hz=rate_hz)
    bins = fft.rfft(record)
    above = fft.rfftfreq(len(record), 1 / rate_hz) > MAX_BAND_HZ + 1
    bins[above] *= np.exp(2j * np.pi * noise(4, int(above.sum()))) * 1000
    other = fft.irfft(bins, len(record))
    expected = squared_envelope(record, rate_hz)
    np.testing.assert_allclose(squared_envelope(other, rate_hz), expected, rtol=1e-6, atol=1e-6)
    assert np.argmax(modulation_spectrum(expected)) == 87, "the lines stay one over the duration apart"


def test_what_is_far_below_the_largest_bin_is_rounding() -> None:
    """A pure tone in float64 has 1e-16 of noise beside it, which must not be whitened into a signal."""
    tone = np.cos(2 * np.pi * 100 * np.arange(N) / N)
    squared = squared_envelope(tone, RATE_HZ)
    assert squared.max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-30])
def test_a_constant_record_gives_zeros(value: float) -> None:
    for dtype in (np.float32, np.float64):
        assert not squared_envelope(np.full((2, 64), value, dtype), RATE_HZ).any()


@pytest.mark.parametrize("n", [4096, 4095, 1000])
def test_a_batch_in_float32_equals_single_records_in_float64(n: int) -> None:
    records = noise(5, 6, n) * np.array([1e-3, 1, 1e3, 1, 1, 1])[:, None]
    batch = squared_envelope(records.astype(np.float32), RATE_HZ)
    spectra, spreads = modulation_spectrum(batch), ics2(batch)
    assert {batch.dtype, spectra.dtype, spreads.dtype} == {np.dtype(np.float32)}
    for record, squared, spectrum, spread in zip(records, batch, spectra, spreads, strict=True):
        expected = squared_envelope(record, RATE_HZ)
        assert expected.dtype == np.float64
        np.testing.assert_allclose(squared, expected, atol=1e-3)
        np.testing.assert_allclose(spectrum, modulation_spectrum(expected), atol=1e-5)
        assert spread == pytest.approx(ics2(expected), abs=1e-4)


@pytest.mark.parametrize("n_independent", [512, 2048, 8192])
def test_impulsive_is_what_gaussian_noise_exceeds_once_in_twenty(n_independent: int) -> None:
    """Of white noise through the envelope; binomial 99.9 % bounds, and the small skew of short records."""
    n_records = 1000
    spreads = [
        ics2(squared_envelope(noise(100 + part, n_records // 20, 2 * n_independent), RATE_HZ)) for part in range(20)
    ]
    spread = np.concatenate(spreads)
    assert spread.mean() == pytest.approx(1, abs=4 / np.sqrt(n_records * n_independent) + 1 / n_independent)
    bound = 3.3 * np.sqrt(0.05 * 0.95 / n_records) + 0.3 / np.sqrt(n_independent)
    assert np.mean(spread > impulsive_from(n_independent)) == pytest.approx(0.05, abs=bound)


def test_impacts_are_impulsive() -> None:
    assert ics2(squared_envelope(impacts(7, strength=8.0), RATE_HZ)) > 1 + 2 * (impulsive_from(N // 2) - 1)
