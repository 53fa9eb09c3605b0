"""Broken sensors are noticed, and healthy signals of every kind are left alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.types.vibration import Signal, Unit
from andon.models.vibration.sensor_health import CHECKS, SensorLimits, check_sensor

RATE_HZ = 12_000.0
N = 12_000
quick = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def noise(seed: int, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def sine(tone_hz: float, phase: float = 0.0, n: int = N) -> np.ndarray:
    wave: np.ndarray = np.sin(2 * np.pi * tone_hz * np.arange(n) / RATE_HZ + phase)
    return wave


def impulses(every: int, decay: float) -> np.ndarray:
    t = np.arange(int(8 * decay))
    train = np.zeros(N)
    train[::every] = 1
    return np.convolve(train, np.exp(-t / decay) * np.sin(1.3 * t))[:N]


def converted(samples: np.ndarray, step: float) -> np.ndarray:
    """As a converter of that step gives it."""
    whole: np.ndarray = np.round(samples / step) * step
    return whole


def reasons(
    samples: np.ndarray, unit: Unit = Unit.M_S2, rate_hz: float = RATE_HZ, rpm: float | None = None
) -> set[str]:
    found = check_sensor(Signal(samples, rate_hz, unit, rpm=rpm))
    assert found.ok == (not found.reasons)
    return set(found.reasons)


def kurtosis(samples: np.ndarray) -> float:
    return float((samples**4).mean() / (samples**2).mean() ** 2)


@quick
@given(seed=SEEDS, gain=st.floats(1e-3, 1e3), unit=st.sampled_from(Unit), step=st.floats(0.01, 1.0))
def test_noise_is_healthy_however_coarsely_it_is_converted(seed: int, gain: float, unit: Unit, step: float) -> None:
    level = {Unit.G: 0.1, Unit.M_S2: 1.0, Unit.MM_S: 0.5, Unit.UM: 5.0}[unit] * gain
    assert reasons(level * noise(seed), unit) == set()
    assert reasons(level * converted(noise(seed), step), unit) == set()


@quick
@given(seed=SEEDS, every=st.integers(100, 2000), decay=st.floats(4, 30), floor=st.floats(0.002, 0.05))
def test_impulses_are_healthy(seed: int, every: int, decay: float, floor: float) -> None:
    samples = 50 * (impulses(every, decay) + floor * noise(seed))
    assert reasons(samples) == set()
    assert reasons(converted(samples, 100 / 4096)) == set()


def test_those_impulses_are_as_sharp_as_bearings_make_them() -> None:
    assert kurtosis(impulses(2000, 10.0)) > 50


@quick
@given(
    seed=SEEDS, tone_hz=st.floats(5, 100), phase=st.floats(0, 6.28), peak=st.floats(1, 100), steps=st.floats(5, 2000)
)
def test_a_large_line_of_the_shaft_is_healthy(
    seed: int, tone_hz: float, phase: float, peak: float, steps: float
) -> None:
    wave = peak * sine(tone_hz, phase)
    for samples in (wave + 0.02 * peak * noise(seed), wave):
        assert reasons(samples) == set()
        assert reasons(converted(samples, peak / steps)) == set()


@pytest.mark.parametrize("tone_hz", [50.0, 100.0, 120.0, 1000.0, 1500.0, 2400.0, 3000.0, 4000.0])
@pytest.mark.parametrize("phase", [0.0, np.pi / 4, np.pi / 2, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tone_at_a_simple_fraction_of_the_rate_is_healthy(tone_hz: float, phase: float, dtype: type) -> None:
    assert reasons(sine(tone_hz, phase).astype(dtype).astype(np.float64)) == set()


def test_impulses_that_repeat_exactly_are_healthy() -> None:
    samples = converted(impulses(97, 12.0) + 1e-3 * noise(0), 1 / 200)
    assert reasons(samples) == set()


@quick
@given(seed=SEEDS, level=st.floats(1.0, 2.0), step=st.sampled_from([0.0, 1e-4, 1e-2]), sides=st.sampled_from([1, 2]))
def test_clipped_noise(seed: int, level: float, step: float, sides: int) -> None:
    samples = converted(noise(seed), step) if step else noise(seed)
    assert reasons(np.clip(samples, -level if sides == 2 else None, level)) == {"sensor.clipping"}


@quick
@given(tone_hz=st.floats(5, 60), phase=st.floats(0, 6.28), level=st.floats(0.3, 0.95), seed=SEEDS)
def test_a_clipped_sine_is_no_standstill(tone_hz: float, phase: float, level: float, seed: int) -> None:
    samples = sine(tone_hz, phase) + 0.01 * noise(seed)
    assert reasons(np.clip(samples, -level, level)) == {"sensor.clipping"}


@quick
@given(tone_hz=st.floats(5, 60), level=st.floats(0.3, 0.9), seed=SEEDS)
def test_a_saturated_amplifier_keeps_its_noise_on_the_rail(tone_hz: float, level: float, seed: int) -> None:
    for samples in (sine(tone_hz) + 0.01 * noise(seed), 0.5 * noise(seed)):
        rail = np.clip(samples, -level, level) + 1e-4 * level * noise(seed + 1)
        assert reasons(rail) == {"sensor.clipping"}


@quick
@given(seed=SEEDS, start=st.floats(0, 0.8), share=st.floats(0.12, 0.9), step=st.sampled_from([0.0, 0.01]))
def test_a_line_that_goes_flat(seed: int, start: float, share: float, step: float) -> None:
    samples = converted(noise(seed), step) if step else noise(seed)
    samples[int(start * N) : int((start + share) * N)] = 0.0
    assert reasons(samples) == {"sensor.flat_line"}


@quick
@given(seed=SEEDS, gaps=st.integers(1, 10), length=st.integers(40, 300), held=st.booleans())
def test_dropouts(seed: int, gaps: int, length: int, held: bool) -> None:
    samples = noise(seed)
    for start in np.random.default_rng(seed).choice(N // 1000 - 1, gaps, replace=False) * 1000:
        samples[start : start + length] = samples[start] if held else 0.0
    # A value that is held near the extreme looks like clipping as well.
    assert reasons(samples) - {"sensor.clipping"} == {"sensor.dropouts"}
    assert held or reasons(samples) == {"sensor.dropouts"}


def test_a_line_that_goes_flat_outside_the_range_of_the_rest() -> None:
    samples = noise(0)
    samples[4000:] = -80.0
    assert "sensor.flat_line" in reasons(samples)


@pytest.mark.parametrize(
    ("unit", "offset", "is_fault"),
    [
        (Unit.G, 1.0, False),
        (Unit.G, -1.0, False),
        (Unit.G, 2.0, True),
        (Unit.M_S2, -20.0, True),
        (Unit.MM_S, 2.0, False),
        (Unit.MM_S, 8.0, True),
        (Unit.UM, 1500.0, False),
    ],
)
def test_bias(unit: Unit, offset: float, is_fault: bool) -> None:
    assert reasons(0.2 * noise(0) + offset, unit) == ({"sensor.bias"} if is_fault else set())


def test_an_offset_within_a_strong_vibration_is_no_bias() -> None:
    assert reasons(5 * noise(0) + 2.0, Unit.G) == set()


def test_a_part_of_a_slow_vibration_is_no_bias() -> None:
    assert reasons(50 * sine(4.0, np.pi / 4)[: N // 16]) == set()


@pytest.mark.parametrize(("unit", "rms"), [(Unit.G, 501), (Unit.M_S2, 4910), (Unit.MM_S, 1010), (Unit.UM, 10_100)])
def test_no_sensor_measures_such_a_level(unit: Unit, rms: float) -> None:
    samples = noise(0) / noise(0).std()
    assert reasons(rms * samples, unit) == {"sensor.unit"}
    assert reasons(0.95 * rms * samples, unit) == set()


@pytest.mark.parametrize(
    ("rate_hz", "rpm", "is_fault"),
    [
        (99.0, None, True),
        (100.0, None, False),
        (1000.0, 30_000.0, False),
        (1000.0, 30_001.0, True),
        (2e7, None, True),
        (0.0, None, True),
        (-1.0, None, True),
        (math.nan, None, True),
        (math.inf, None, True),
    ],
)
def test_rate(rate_hz: float, rpm: float | None, is_fault: bool) -> None:
    assert reasons(noise(0), Unit.M_S2, rate_hz, rpm) == ({"sensor.rate"} if is_fault else set())


def test_slow_rates_are_right_for_slow_quantities() -> None:
    assert reasons(noise(0), Unit.MM_S, 50.0) == set()
    assert reasons(noise(0), Unit.UM, 10.0) == set()


@pytest.mark.parametrize("unit", Unit)
def test_silence(unit: Unit) -> None:
    assert reasons(np.zeros(N), unit) == {"sensor.silence"}
    assert reasons(np.full(N, 0.25), unit) == {"sensor.silence"}
    assert reasons(1e-9 * noise(0), unit) == {"sensor.silence"}
    assert reasons(np.zeros(0), unit) == {"sensor.silence"}
    assert reasons(np.full(1, 0.25), unit) == {"sensor.silence"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, N // 2, N - 1])
def test_one_sample_that_is_no_number_is_enough(value: float, place: int) -> None:
    samples = noise(0)
    samples[place] = value
    assert reasons(samples) == {"sensor.not_finite"}


@given(st.lists(st.floats(-100, 100), max_size=40), st.sampled_from(Unit), st.floats(allow_nan=True))
def test_any_samples_are_answered(samples: list[float], unit: Unit, rate_hz: float) -> None:
    assert reasons(np.array(samples), unit, rate_hz) <= CHECKS.keys()


def test_thresholds_can_be_set() -> None:
    clipped = Signal(np.clip(noise(0), -2, 2), RATE_HZ, Unit.M_S2)
    assert check_sensor(clipped, SensorLimits(min_pile=N)).ok
