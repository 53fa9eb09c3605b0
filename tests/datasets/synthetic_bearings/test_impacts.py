"""When impacts happen, how strong they are, and how they ring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.datasets.synthetic.bearings.impacts import Impacts, load_zone, ring, strike
from andon.datasets.synthetic.bearings.rotation import Rotation, turn
from andon.datasets.synthetic.bearings.scenario import BEARING_FAULTS, Mode, Scenario
from andon.models.types.vibration import Fault, Samples

RATE_HZ = 10_000.0
SEEDS = st.integers(0, 2**32 - 1)


def steady(scenario: Scenario) -> Rotation:
    return turn(scenario, np.random.default_rng(0))


def times_of(scenario: Scenario, order: float, seed: int) -> Samples:
    return strike(scenario, steady(scenario), order, np.random.default_rng(seed)).time_s


@given(
    fault=st.sampled_from(BEARING_FAULTS),
    order=st.floats(2.0, 8.0),
    jitter=st.floats(0.001, 0.01),
    spread=st.floats(0.001, 0.01),
    seed=SEEDS,
)
@settings(max_examples=40, deadline=None)
def test_the_mean_rate_is_the_order_times_the_speed(
    fault: Fault, order: float, jitter: float, spread: float, seed: int
) -> None:
    scenario = Scenario(fault, rpm=1500, jitter=jitter, interval_spread=spread, duration_s=4.0, rate_hz=25_600)
    times = times_of(scenario, order, seed)
    intervals = len(times) - 1
    rate_hz = intervals / (times[-1] - times[0])
    # Six standard deviations of the mean of the intervals.
    allowed = 6 * np.hypot(spread / intervals**0.5, 2**0.5 * jitter / intervals)
    assert rate_hz == pytest.approx(order * 25, rel=allowed + 1e-6)
    assert np.diff(times).std() * order * 25 == pytest.approx(np.hypot(spread, 2**0.5 * jitter), rel=0.3)


def residual(scenario: Scenario, seed: int) -> Samples:
    """How far each impact is off an even train from the first on, in periods."""
    times = times_of(scenario, 4.0, seed)
    return np.asarray((times - times[0]) * 4 * 25 - np.arange(len(times)), dtype=np.float64)


def test_jitter_does_not_accumulate_and_the_spread_of_intervals_does() -> None:
    jittered = Scenario(rpm=1500, jitter=0.01, interval_spread=0.0, duration_s=6.5)
    walking = Scenario(rpm=1500, jitter=0.0, interval_spread=0.01, duration_s=6.5)
    ends = {
        name: np.std([residual(scenario, seed)[[50, 600]] for seed in range(40)], axis=0)
        for name, scenario in (("jittered", jittered), ("walking", walking))
    }
    assert ends["jittered"] == pytest.approx([0.014, 0.014], rel=0.4)
    assert ends["walking"] == pytest.approx([0.01 * 50**0.5, 0.01 * 600**0.5], rel=0.4)


def test_the_first_impact_comes_at_any_time_of_the_period() -> None:
    first = [times_of(Scenario(rpm=1500, duration_s=0.2), 4.0, seed)[0] * 100 for seed in range(60)]
    assert np.histogram(first, bins=4, range=(0, 1))[0].min() >= 5


@given(st.integers(0, 2**16), st.floats(0.02, 0.2), st.floats(500, 4500))
@settings(max_examples=30, deadline=None)
def test_the_ringing_is_that_of_the_formula_at_any_fraction_of_a_sample(
    seed: int, damping: float, frequency_hz: float
) -> None:
    rng = np.random.default_rng(seed)
    impacts = Impacts(np.sort(rng.uniform(0, 0.05, 6)), rng.uniform(0.5, 2, 6))
    mode = Mode(frequency_hz, damping, 0.7)
    time_s = np.arange(600) / RATE_HZ
    omega = 2 * np.pi * frequency_hz
    after = time_s[:, None] - impacts.time_s
    expected = 0.7 * np.exp(-damping * omega * after.clip(0)) * np.sin(omega * np.sqrt(1 - damping**2) * after)
    expected = np.where(after >= 0, expected, 0) @ impacts.strength
    np.testing.assert_allclose(ring(impacts, (mode,), RATE_HZ, 600), expected, atol=1e-9)


def test_modes_add_up() -> None:
    impacts = Impacts(np.array([0.01004, 0.02]), np.array([1.0, 0.5]))
    modes = (Mode(900.0, 0.05), Mode(2100.0, 0.02, 0.3))
    alone = [ring(impacts, (mode,), RATE_HZ, 400) for mode in modes]
    np.testing.assert_allclose(ring(impacts, modes, RATE_HZ, 400), alone[0] + alone[1], atol=1e-12)


def test_an_impact_after_the_last_sample_is_not_heard() -> None:
    impacts = Impacts(np.array([0.0399999]), np.array([1.0]))
    assert not ring(impacts, (Mode(900.0, 0.05),), RATE_HZ, 400).any()


def test_impacts_of_the_inner_race_are_as_strong_as_the_load_where_they_happen() -> None:
    scenario = Scenario(Fault.INNER_RACE, rpm=1500, amplitude_spread=0.0, load_extent=0.5)
    impacts = strike(scenario, steady(scenario), 5.4, np.random.default_rng(1))
    turns = (impacts.time_s * 25) % 1
    by_angle = impacts.strength[np.argsort(turns)]
    assert (by_angle == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert by_angle.max() == pytest.approx(1, abs=0.02)
    assert np.abs(np.diff(by_angle)).max() < 0.2


def test_a_spot_on_a_fixed_outer_race_is_always_under_the_same_load() -> None:
    scenario = Scenario(Fault.OUTER_RACE, amplitude_spread=0.0)
    assert set(strike(scenario, steady(scenario), 3.6, np.random.default_rng(1)).strength) == {1.0}


@given(st.floats(0.1, 0.3), SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_strength_varies_as_asked(spread: float, seed: int) -> None:
    scenario = Scenario(Fault.OUTER_RACE, amplitude_spread=spread, duration_s=8.0)
    strength = strike(scenario, steady(scenario), 3.6, np.random.default_rng(seed)).strength
    assert strength.std() / strength.mean() == pytest.approx(spread, rel=0.2)
    assert strength.min() > 0


def test_the_load_falls_off_with_the_exponent_of_point_contact() -> None:
    assert load_zone(np.array([1 / 6]), 0.5)[0] == pytest.approx(0.5**1.5)


@given(st.floats(0.05, 1.0), st.floats(-2, 2))
def test_the_load_zone_is_even_periodic_and_ends_at_its_extent(extent: float, turns: float) -> None:
    here, mirrored, next_turn, top = load_zone(np.array([turns, -turns, turns + 1, 0.0]), extent)
    assert here == pytest.approx(mirrored, abs=1e-9)
    assert here == pytest.approx(next_turn, abs=1e-6)
    assert 0 <= here <= top == 1
    edge = np.arccos(max(-1.0, 1 - 2 * extent)) / (2 * np.pi)
    assert load_zone(np.array([edge]), extent)[0] == pytest.approx(0, abs=1e-6)


@given(st.floats(600, 3600), st.floats(-0.5, 0.5), st.floats(0, 0.02), SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_revolutions_are_the_integral_of_the_speed(rpm: float, run_up: float, wander: float, seed: int) -> None:
    scenario = Scenario(rpm=rpm, run_up=run_up, wander=wander, rate_hz=2000, resonances=(), background=())
    rotation = turn(scenario, np.random.default_rng(seed))
    mean_hz = (rotation.speed_hz[1:] + rotation.speed_hz[:-1]) / 2
    np.testing.assert_allclose(np.diff(rotation.revolutions), mean_hz / 2000, rtol=1e-5)
    assert rotation.revolutions[0] == 0
    assert rotation.speed_hz.mean() == pytest.approx(rpm / 60, rel=5 * wander + 1e-3)
