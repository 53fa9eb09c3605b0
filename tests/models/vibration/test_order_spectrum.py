"""A line at an order stays there whatever the speed does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.vibration.order_spectrum import (
    OrderSpectrum,
    SpeedProfile,
    angular_resampling,
    at_constant_speed,
    order_spectrum,
)

RATE_HZ = 8000.0
SECONDS = 5.0
quick = settings(max_examples=30, deadline=None)
TIMES = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ


def of_shaft(order: float, peak: float, speed: SpeedProfile) -> np.ndarray:
    wave: np.ndarray = peak * np.sin(2 * np.pi * order * speed.turns(TIMES))
    return wave


def strongest(spectrum: OrderSpectrum) -> tuple[float, float]:
    place = int(np.argmax(spectrum.values))
    return float(spectrum.orders[place]), float(spectrum.values[place])


@quick
@given(st.floats(600, 3000), st.floats(1.0, 2.0), st.floats(0.5, 12), st.floats(0.1, 10))
def test_orders_do_not_depend_on_the_speed(rpm: float, rise: float, order: float, peak: float) -> None:
    speed = SpeedProfile(np.array([0.0, 2.0, SECONDS]), np.array([rpm, rpm * rise, rpm * 1.1]))
    spectrum = order_spectrum(angular_resampling(of_shaft(order, peak, speed), RATE_HZ, speed))
    found, amplitude = strongest(spectrum)
    assert found == pytest.approx(order, abs=0.51 * spectrum.orders[1])
    assert 0.84 * peak <= amplitude <= 1.001 * peak


def test_without_resampling_a_run_up_smears_the_line() -> None:
    speed = SpeedProfile(np.array([0.0, SECONDS]), np.array([900.0, 1800.0]))
    samples = of_shaft(3.5848, 1.0, speed)
    smeared = strongest(order_spectrum(at_constant_speed(samples, RATE_HZ, 1350.0)))[1]
    assert smeared < 0.3 < strongest(order_spectrum(angular_resampling(samples, RATE_HZ, speed)))[1]


@quick
@given(st.floats(300, 6000), st.floats(0.5, 20))
def test_one_speed_needs_no_interpolation(rpm: float, order: float) -> None:
    speed = SpeedProfile(np.array([0.0]), np.array([rpm]))
    samples = of_shaft(order, 1.0, speed)
    signal = at_constant_speed(samples, RATE_HZ, rpm)
    assert signal.samples is samples
    found, _ = strongest(order_spectrum(signal))
    assert found == pytest.approx(order, abs=0.51 * 60 / rpm / SECONDS)


@quick
@given(st.floats(0.01, 0.25), st.floats(1.0, 2.0))
def test_the_splines_error_is_as_stated(share_of_rate: float, rise: float) -> None:
    rpm = 1500.0
    speed = SpeedProfile(np.array([0.0, SECONDS]), np.array([rpm, rpm * rise]))
    order = share_of_rate * RATE_HZ * 60 / (rpm * rise)
    signal = angular_resampling(of_shaft(order, 1.0, speed), RATE_HZ, speed)
    expected = np.sin(2 * np.pi * order * np.arange(len(signal.samples)) / signal.samples_a_turn)
    worst = np.abs(signal.samples - expected)[200:-200].max()
    assert worst < (5e-4 if share_of_rate < 0.1 else 5e-3 if share_of_rate < 1 / 6 else 3e-2)


@quick
@given(st.floats(600, 3000), st.floats(0.3, 3.0))
def test_no_frequency_is_folded_back(rpm: float, change: float) -> None:
    speed = SpeedProfile(np.array([0.0, SECONDS]), np.array([rpm, rpm * change]))
    signal = angular_resampling(np.zeros(len(TIMES)), RATE_HZ, speed)
    fewest_a_second = signal.samples_a_turn * min(rpm, rpm * change) / 60
    assert fewest_a_second >= RATE_HZ * (1 - 1e-3)  # the last sample lies a moment before the last point


@quick
@given(st.lists(st.floats(100, 6000), min_size=2, max_size=6))
def test_turns_are_the_integral_of_the_speed(rpm: list[float]) -> None:
    points = np.linspace(0, SECONDS, len(rpm))
    turns = SpeedProfile(points, np.array(rpm)).turns(TIMES)
    exact = np.trapezoid(rpm, points) / 60
    assert turns[0] == 0
    assert (np.diff(turns) > 0).all()
    assert turns[-1] == pytest.approx(exact, rel=1e-3)
