"""What the indicators must read for signals whose values are known, and what a record does not allow."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from andon.models.types.vibration import Signal, Unit
from andon.models.vibration.indicators import (
    BANDS,
    MIN_SAMPLES,
    envelope_indicators,
    indicator_document,
    moments,
    waveform_indicators,
    window_indicators,
)
from andon.models.vibration.integration import Band

RATE_HZ = 12_000.0
SHAFT_RPM = 1750.0
GRAVITY = 9.80665

quick = settings(max_examples=30, deadline=None)


def times(duration_s: float = 2.0) -> np.ndarray:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def sine(tone_hz: float, peak: float = 1.0, duration_s: float = 2.0, phase: float = 0.0) -> np.ndarray:
    wave: np.ndarray = peak * np.sin(2 * np.pi * tone_hz * times(duration_s) + phase)
    return wave


def document(samples: np.ndarray, unit: Unit = Unit.M_S2, rpm: float | None = None) -> dict[str, float | None]:
    return indicator_document(Signal(samples, RATE_HZ, unit), rpm)


def available(found: dict[str, float | None]) -> set[str]:
    return {name for name, value in found.items() if value is not None}


@quick
@given(st.floats(30, 300), st.floats(0.01, 100), st.floats(0, 6.28), st.floats(-50, 50))
def test_a_sine(tone_hz: float, peak: float, phase: float, offset: float) -> None:
    found = waveform_indicators(sine(tone_hz, peak, 2.0, phase) + offset)
    values = dict(zip(found.names, found.values, strict=True))
    assert values["rms_m_s2"] == pytest.approx(peak / math.sqrt(2), rel=0.01)
    assert values["kurtosis"] == pytest.approx(1.5, rel=0.02)
    assert values["crest"] == pytest.approx(math.sqrt(2), rel=0.02)
    assert values["shape_factor"] == pytest.approx(math.pi / 2 / math.sqrt(2), rel=0.02)
    assert values["skewness"] == pytest.approx(0, abs=0.05)


def test_a_sine_is_exact_where_it_fits() -> None:
    found = document(sine(50.0, 3.0))
    assert found["peak_m_s2"] == pytest.approx(3.0, rel=1e-3)
    assert found["peak_to_peak_m_s2"] == pytest.approx(6.0, rel=1e-3)
    assert found["impulse_factor"] == pytest.approx(math.pi / 2, rel=1e-3)
    assert found["ics2"] == pytest.approx(0.0, abs=1e-6)


@quick
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_gaussian_noise(seed: int, sigma: float, offset: float) -> None:
    found = document(np.random.default_rng(seed).normal(offset * sigma, sigma, 100_000))
    assert found["rms_m_s2"] == pytest.approx(sigma, rel=0.02)
    assert found["kurtosis"] == pytest.approx(3.0, abs=0.1)
    assert found["skewness"] == pytest.approx(0.0, abs=0.05)
    assert found["shape_factor"] == pytest.approx(math.sqrt(math.pi / 2), rel=0.01)
    assert found["ics2"] == pytest.approx(1.0, abs=0.06)


@quick
@given(st.integers(0, 2**32 - 1), st.integers(MIN_SAMPLES, 5000))
def test_moments_are_those_of_scipy(seed: int, n: int) -> None:
    windows = np.random.default_rng(seed).gamma(2.0, size=(2, 3, n))
    found = waveform_indicators(windows)
    np.testing.assert_allclose(found.of("kurtosis"), stats.kurtosis(windows, axis=-1, fisher=False), rtol=1e-9)
    np.testing.assert_allclose(found.of("skewness"), stats.skew(windows, axis=-1), rtol=1e-9)
    np.testing.assert_allclose(found.of("rms_m_s2"), windows.std(axis=-1), rtol=1e-9)


def test_chunks_leave_no_window_out() -> None:
    windows = np.random.default_rng(0).normal(size=(203, 4096)).astype(np.float32)
    found = moments(windows)
    np.testing.assert_allclose(found.second, windows.astype(np.float64).var(axis=-1), rtol=1e-4)
    np.testing.assert_allclose(found.highest, (windows - windows.mean(-1, keepdims=True)).max(axis=-1), rtol=1e-4)


@quick
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e4), st.floats(-3, 3))
def test_float32_is_good_to_four_digits(seed: int, sigma: float, offset: float) -> None:
    windows = np.random.default_rng(seed).normal(offset * sigma, sigma, (5, 4096))
    exact, fast = (waveform_indicators(each).values for each in (windows, windows.astype(np.float32)))
    np.testing.assert_allclose(fast, exact, rtol=1e-4, atol=1e-4)


@quick
@given(st.floats(0.1, 50), st.integers(1, 30))
def test_rare_impulses_raise_kurtosis_and_crest_as_they_must(height: float, every: int) -> None:
    """One sample of height h in m others of zero: kurtosis tends to m, crest to sqrt(m)."""
    train = np.zeros(64 * every * 10)
    train[:: 64 * every] = height
    found = waveform_indicators(train)
    assert found.of("kurtosis") == pytest.approx(64 * every, rel=0.05)
    assert found.of("crest") == pytest.approx(math.sqrt(64 * every), rel=0.05)


@quick
@given(st.floats(600, 6000), st.floats(0.1, 20), st.floats(0, 6.28))
def test_the_lines_of_the_shaft(rpm: float, peak: float, phase: float) -> None:
    f = rpm / 60
    samples = sum(sine(h * f, peak / h, phase=phase * h) for h in (1, 2, 3))
    found = document(samples, rpm=rpm)  # type: ignore[arg-type]
    for h in (1, 2, 3):
        assert found[f"x{h}_acceleration_m_s2"] == pytest.approx(peak / h, rel=2e-3)
        assert found[f"x{h}_velocity_mm_s"] == pytest.approx(1e3 * peak / h / (2 * math.pi * h * f), rel=2e-3)


@quick
@given(st.floats(15, 800), st.floats(0.1, 20))
def test_a_machine_reads_the_same_whatever_its_sensor_measures(tone_hz: float, velocity_mm_s: float) -> None:
    omega = 2 * math.pi * tone_hz
    peaks = {
        Unit.G: velocity_mm_s * omega / 1e3 / GRAVITY,
        Unit.M_S2: velocity_mm_s * omega / 1e3,
        Unit.MM_S: velocity_mm_s,
        Unit.UM: velocity_mm_s / omega * 1e3,
    }
    for unit, peak in peaks.items():
        found = document(sine(tone_hz, peak), unit, tone_hz * 60)
        assert found["velocity_rms_mm_s"] == pytest.approx(velocity_mm_s / math.sqrt(2), rel=2e-3)
        assert found["displacement_rms_um"] == pytest.approx(peaks[Unit.UM] / math.sqrt(2), rel=2e-3)
        assert found["x1_velocity_mm_s"] == pytest.approx(velocity_mm_s, rel=2e-3)


def test_velocity_says_nothing_of_the_acceleration_waveform() -> None:
    noise = np.random.default_rng(0).normal(size=24_000)
    lost = available(document(noise, rpm=SHAFT_RPM)) - available(document(noise, Unit.MM_S, SHAFT_RPM))
    assert {"rms_m_s2", "kurtosis", "crest", "ics2", "band_500_2000_hz_m_s2"} <= lost
    assert not lost & {"velocity_rms_mm_s", "displacement_rms_um", "x1_velocity_mm_s"}


@quick
@given(st.floats(40, 5900))
def test_a_tone_is_in_its_band(tone_hz: float) -> None:
    found = document(sine(tone_hz, 2.0))
    for band in BANDS[:3]:
        level = found[f"band_{band.low_hz:g}_{band.high_hz:g}_hz_m_s2"]
        assert level is not None
        distance = min(abs(tone_hz - band.low_hz), abs(tone_hz - band.high_hz))
        if distance > 5:
            inside = band.low_hz < tone_hz < band.high_hz
            assert level == pytest.approx(math.sqrt(2) if inside else 0.0, abs=1e-3)


def test_bands_can_be_chosen() -> None:
    found = indicator_document(Signal(sine(75.0), RATE_HZ, Unit.M_S2), None, (Band(50.0, 62.5), Band(62.5, 100.0)))
    assert found["band_50_62.5_hz_m_s2"] == pytest.approx(0.0, abs=1e-3)
    assert found["band_62.5_100_hz_m_s2"] == pytest.approx(math.sqrt(0.5), rel=1e-3)
    assert "band_10_500_hz_m_s2" not in found


def test_slow_machines_are_measured_from_2_hz() -> None:
    samples = sine(5.0, 1.0, 4.0)
    expected = 1e3 / (2 * math.pi * 5.0) / math.sqrt(2)
    assert document(samples, rpm=300.0)["velocity_rms_mm_s"] == pytest.approx(expected, rel=2e-3)
    assert document(samples, rpm=900.0)["velocity_rms_mm_s"] == pytest.approx(0.0, abs=1e-3 * expected)


@pytest.mark.parametrize(
    ("duration_s", "rpm", "absent"),
    [
        (1.0, SHAFT_RPM, {"band_5000_10000_hz_m_s2"}),
        (0.99, SHAFT_RPM, {"velocity_rms_mm_s", "displacement_rms_um"}),
        (1.9, 300.0, {"velocity_rms_mm_s", "displacement_rms_um"}),
        (0.39, SHAFT_RPM, {"band_10_500_hz_m_s2"}),
        (0.27, SHAFT_RPM, {"x1_velocity_mm_s", "x1_acceleration_m_s2", "x2_velocity_mm_s", "x3_velocity_mm_s"}),
        (2.0, None, {"x1_velocity_mm_s", "x2_velocity_mm_s", "x3_acceleration_m_s2"}),
        (2.0, 0.0, {"x1_velocity_mm_s"}),
        (2.0, 180_000.0, {"x2_velocity_mm_s", "x3_velocity_mm_s"}),
        (0.001, SHAFT_RPM, set(document(np.ones(100)))),
    ],
)
def test_what_a_record_does_not_allow_is_none(duration_s: float, rpm: float | None, absent: set[str]) -> None:
    found = document(np.random.default_rng(0).normal(size=int(duration_s * RATE_HZ)), rpm=rpm)
    assert absent <= found.keys() - available(found)


def test_what_a_second_allows() -> None:
    found = document(np.random.default_rng(0).normal(size=12_000), rpm=SHAFT_RPM)
    assert found.keys() - available(found) == {"band_5000_10000_hz_m_s2"}


@pytest.mark.parametrize("samples", [np.full(24_000, np.nan), np.append(sine(50.0), np.inf), np.zeros(0)])
def test_what_is_no_signal_has_no_indicators(samples: np.ndarray) -> None:
    found = document(samples, rpm=SHAFT_RPM)
    assert not available(found)
    assert found.keys() == document(sine(50.0)).keys()


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_none_gives_none(rate_hz: float) -> None:
    assert not available(indicator_document(Signal(sine(50.0), rate_hz, Unit.M_S2), SHAFT_RPM))


def test_a_constant_has_levels_but_no_shape() -> None:
    found = document(np.full(24_000, 3.0), rpm=SHAFT_RPM)
    assert found["rms_m_s2"] == found["velocity_rms_mm_s"] == 0.0
    assert found["kurtosis"] is found["crest"] is found["ics2"] is None


def test_every_name_ends_with_its_unit() -> None:
    found = window_indicators(np.zeros((1, 64)), RATE_HZ)
    endings = {"m/s2": "_m_s2", "mm/s": "_mm_s", "um": "_um"}
    for name, unit in zip(found.names, found.units, strict=True):
        assert name.endswith(endings[unit]) if unit else not name.endswith(tuple(endings.values()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_give_what_single_records_give(dtype: type) -> None:
    windows: np.ndarray = np.random.default_rng(0).normal(size=(2, 3, 12_000)).astype(dtype)
    found = window_indicators(windows, RATE_HZ, SHAFT_RPM)
    assert found.values.shape == (2, 3, len(found.names))
    alone = document(windows[1, 2].astype(np.float64), rpm=SHAFT_RPM)
    assert tuple(alone) == found.names
    for name, value in alone.items():
        read = found.of(name)[1, 2]
        assert math.isnan(read) if value is None else read == pytest.approx(value, rel=1e-4, abs=1e-4)


def test_modulation_raises_ics2() -> None:
    noise = np.random.default_rng(0).normal(size=50_000)
    bursts = noise * (1 + 5 * (np.arange(50_000) % 500 < 25))
    found = envelope_indicators(np.stack([noise, bursts])).of("ics2")
    assert found[1] > 3 * found[0]
