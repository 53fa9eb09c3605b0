"""The speed is read from the record, near what is known of it, and not from noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from andon.models.types.vibration import Machine, Signal, Unit
from andon.models.vibration.shaft_speed import SIGNIFICANCE, amplitude_lines, shaft_speed

RATE_HZ, DURATION_S = 4096.0, 4.0
N = int(RATE_HZ * DURATION_S)
MOTOR = Machine(rpm=1440, min_rpm=1440, max_rpm=1500)
quick = settings(max_examples=40, deadline=None)


def turning(actual_rpm: float, seed: int = 0, strength: float = 0.3, rpm: float | None = None) -> Signal:
    """Harmonics of a shaft, the first the strongest, in noise of one."""
    time = np.arange(N) / RATE_HZ
    generator = np.random.default_rng(seed)
    samples = generator.normal(size=N)
    for number in (1, 2, 3, 4):
        phase = generator.uniform(0, 2 * np.pi)
        samples += strength / number**0.5 * np.cos(2 * np.pi * number * actual_rpm / 60 * time + phase)
    return Signal(samples, RATE_HZ, Unit.M_S2, rpm=rpm)


@quick
@given(rpm=st.floats(600, 6000), off=st.floats(-0.018, 0.018), seed=st.integers(0, 2**32 - 1))
def test_a_measured_speed_is_refined_within_two_per_cent(rpm: float, off: float, seed: int) -> None:
    found = shaft_speed(turning(rpm * (1 + off), seed, rpm=rpm), Machine(rpm=1.0))
    assert found is not None
    assert found.source == "refined"
    assert found.hz * 60 == pytest.approx(rpm * (1 + off), abs=60 / DURATION_S / 4)


def test_a_measured_speed_without_lines_is_believed() -> None:
    found = shaft_speed(turning(1480, strength=0.0, rpm=1480), MOTOR)
    assert found is not None
    assert found.source == "measured"
    assert found.hz * 60 == pytest.approx(1480)


def test_a_measured_speed_that_is_far_off_is_not_led_astray() -> None:
    found = shaft_speed(turning(1480, rpm=1200), Machine())
    assert found is not None
    assert found.source == "measured"
    assert found.hz * 60 == pytest.approx(1200)


@quick
@given(actual=st.floats(1440, 1492), seed=st.integers(0, 2**32 - 1))
def test_between_nameplate_and_synchronous_the_speed_is_estimated(actual: float, seed: int) -> None:
    """Within 0.4 % of the synchronous speed half of the harmonics stand in the lines of the mains, where nothing counts."""
    found = shaft_speed(turning(actual, seed), MOTOR)
    assert found is not None
    assert found.source == "estimated"
    # Near the synchronous speed two of the four harmonics lie where the mains hum, and are no evidence.
    assert found.hz * 60 == pytest.approx(actual, abs=60 / DURATION_S / 2)


@pytest.mark.parametrize("line_hz", [50.0, None])
def test_the_mains_do_not_draw_the_speed_to_the_synchronous_one(line_hz: float | None) -> None:
    """A motor of 1,462 rpm hums at 50 and 100 Hz, where twice and four times 1,500 rpm would be."""
    time = np.arange(N) / RATE_HZ
    hum = np.cos(2 * np.pi * 50 * time) + 4 * np.cos(2 * np.pi * 100 * time)
    signal = turning(1462, strength=0.2)
    found = shaft_speed(replace(signal, samples=signal.samples + hum), replace(MOTOR, line_hz=line_hz))
    assert found is not None
    assert found.hz * 60 == pytest.approx(1462, abs=4)


def test_a_tooth_of_noise_does_not_move_the_estimate() -> None:
    """Where the fourth harmonic is missing, the highest line of noise near it counts for nothing."""
    time = np.arange(N) / RATE_HZ
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=N)
        lines = 0.5 * np.cos(2 * np.pi * 16.5 * time[:, None] * (1, 2, 3) + (1, 2, 3)).sum(axis=1)
        found = shaft_speed(Signal(np.asarray(noise + lines, np.float64), RATE_HZ, Unit.M_S2), Machine(rpm=1000))
        assert found is not None
        assert found.hz == pytest.approx(16.5, abs=0.25 / 8)


@pytest.mark.parametrize("actual", [620.0, 1333.0, 2870.0])
def test_a_wide_range_of_a_drive_is_searched(actual: float) -> None:
    found = shaft_speed(turning(actual, strength=0.4), Machine(min_rpm=600, max_rpm=2900))
    assert found is not None
    assert found.hz * 60 == pytest.approx(actual, abs=60 / DURATION_S / 4)


def test_a_nameplate_alone_is_a_range_of_two_per_cent() -> None:
    found = shaft_speed(turning(1462), Machine(rpm=1450))
    assert found is not None
    assert found.hz * 60 == pytest.approx(1462, abs=4)
    assert shaft_speed(turning(1350), Machine(rpm=1450)) is None


def test_one_bound_is_completed_by_the_nameplate() -> None:
    found = shaft_speed(turning(1490), Machine(rpm=1440, max_rpm=1500))
    assert found is not None
    assert found.hz * 60 == pytest.approx(1490, abs=4)


def test_where_nothing_is_known_there_is_no_speed() -> None:
    assert shaft_speed(turning(1480), Machine()) is None
    assert shaft_speed(turning(1480), Machine(max_rpm=1500)) is None


def test_noise_has_no_speed() -> None:
    """Once in a hundred records, over all fundamentals that are searched; within 99.9 % of the binomial distribution."""
    believed = sum(
        shaft_speed(turning(1480, seed, strength=0.0), Machine(min_rpm=1300, max_rpm=1500)) is not None
        for seed in range(400)
    )
    assert believed <= binom.ppf(0.999, 400, SIGNIFICANCE)


def test_a_record_that_holds_no_harmonics_gives_no_speed() -> None:
    slow = Signal(np.random.default_rng(0).normal(size=400), 200.0, Unit.M_S2)
    assert shaft_speed(slow, MOTOR) is None
    for n in range(1, 20):
        assert shaft_speed(Signal(np.asarray(np.arange(n) % 3.0, np.float64), RATE_HZ, Unit.M_S2), MOTOR) is None


@quick
@given(peak=st.floats(0.1, 10), line=st.integers(1, N // 2 - 1), offset=st.floats(-100, 100))
def test_a_line_reads_its_amplitude(peak: float, line: int, offset: float) -> None:
    lines = amplitude_lines(offset + peak * np.sin(2 * np.pi * line * np.arange(N) / N))
    assert lines.shape == (N // 2 + 1,)
    assert lines[line] == pytest.approx(peak)
    assert np.delete(lines, line).max() < 1e-9 * (peak + abs(offset))
