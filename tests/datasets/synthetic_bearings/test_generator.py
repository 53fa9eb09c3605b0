"""Generated records obey the physics that their scenario states."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import hilbert

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import (
    BEARING_FAULTS,
    FAULTS,
    SHAFT_FAULTS,
    Gear,
    Hum,
    Mode,
    Scenario,
    SyntheticRecord,
)
from andon.models.types.vibration import BearingOrders, Fault, Samples, Unit

G_MM_S2 = 9806.65
CLEAR, ABSENT = 8.0, 5.0
"""Level of a line over the median of the spectrum: noise alone exceeds 5 in one of 3e7 bins."""

SEEDS = st.integers(0, 2**32 - 1)
RPM = st.floats(600, 3600)
SLIP = st.floats(-0.01, 0.01)


def envelope_spectrum(samples: Samples, step: float) -> tuple[Samples, Samples]:
    """The plain squared envelope spectrum over frequency, or over order where ``step`` is one of angle."""
    envelope = np.abs(hilbert(samples)) ** 2
    return spectrum(envelope - envelope.mean(), step)


def spectrum(samples: Samples, step: float) -> tuple[Samples, Samples]:
    """Amplitude of lines over frequency."""
    window = np.hanning(len(samples))
    amplitude = 2 * np.abs(np.fft.rfft(samples * window)) / window.sum()
    return np.fft.rfftfreq(len(samples), step).astype(np.float64), amplitude


def line_level(samples: Samples, step: float, line: float) -> float:
    """Level of the envelope's line over the median of the spectrum up to a thousand, whose most bins hold no line."""
    axis, amplitude = envelope_spectrum(samples, step)
    near = np.abs(axis - line) <= 2.01 * axis[1]
    return float(amplitude[near].max() / np.median(amplitude[(axis > 2 * axis[1]) & (axis < 1000)]))


def level_of(record: SyntheticRecord, hz: float) -> float:
    return line_level(record.signal.samples, 1 / record.signal.rate_hz, hz)


def contribution(scenario: Scenario, seed: int) -> Samples:
    """What the fault adds to the healthy machine's record."""
    healthy = replace(scenario, fault=Fault.NONE)
    return generate(scenario, seed).signal.samples - generate(healthy, seed).signal.samples


def quiet(scenario: Scenario) -> Scenario:
    """The same with its lines taken away: noise and fault alone."""
    return replace(scenario, shaft_mm_s=(), gears=(), hum=None)


def kinematic_hz(fault: Fault, orders: BearingOrders, rpm: float) -> float:
    order = {
        Fault.OUTER_RACE: orders.bpfo,
        Fault.INNER_RACE: orders.bpfi,
        Fault.ROLLING_ELEMENT: 2 * orders.bsf,
        Fault.CAGE: orders.ftf,
    }[fault]
    return order * rpm / 60


@pytest.mark.parametrize("fault", BEARING_FAULTS)
@given(rpm=RPM, slip=SLIP, seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_the_envelope_has_a_line_at_the_true_fault_frequency(fault: Fault, rpm: float, slip: float, seed: int) -> None:
    # Long enough that even the lines of a cage stand far apart.
    duration_s = 8.0 if fault is Fault.CAGE else 2.0
    scenario = Scenario(
        fault, rpm=rpm, slip=slip, jitter=0.002, interval_spread=0.001, snr_db=3.0, duration_s=duration_s
    )
    record = generate(scenario, seed)
    fault_hz = kinematic_hz(fault, scenario.orders, rpm) * (1 + slip)
    assert record.fault_hz == pytest.approx(fault_hz)
    assert level_of(record, fault_hz) > CLEAR


@pytest.mark.parametrize("fault", BEARING_FAULTS)
@given(rpm=RPM, seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_a_healthy_machine_has_no_such_line(fault: Fault, rpm: float, seed: int) -> None:
    healthy = Scenario(rpm=rpm, gears=(Gear(23, 0.05),), hum=Hum(50.0, 0.01))
    assert level_of(generate(healthy, seed), kinematic_hz(fault, healthy.orders, rpm)) < ABSENT


@given(fault=st.sampled_from(BEARING_FAULTS), snr_db=st.floats(-20, 20), noise_g=st.floats(0.01, 1), seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_snr_is_the_one_asked_for(fault: Fault, snr_db: float, noise_g: float, seed: int) -> None:
    scenario = Scenario(fault, snr_db=snr_db, noise_g=noise_g, duration_s=1.0, gears=(Gear(31, 0.2),), wander=0.01)
    noise = generate(replace(quiet(scenario), fault=Fault.NONE), seed).signal.samples
    realised = 10 * np.log10(np.mean(contribution(scenario, seed) ** 2) / np.mean(noise**2))
    assert realised == pytest.approx(snr_db, abs=0.01)
    assert generate(scenario, seed).snr_db == pytest.approx(realised, abs=0.01)


@given(fault=st.sampled_from(SHAFT_FAULTS), rpm=RPM, severity=st.floats(1, 20), seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_shaft_fault_has_the_velocity_asked_for(fault: Fault, rpm: float, severity: float, seed: int) -> None:
    scenario = Scenario(fault, rpm=rpm, severity_mm_s=severity)
    hz, _ = spectrum(samples := contribution(scenario, seed), 1 / scenario.rate_hz)
    velocity = np.fft.rfft(samples)[1:] * G_MM_S2 / (2j * np.pi * hz[1:])
    rms = np.sqrt(2 * np.sum(np.abs(velocity[hz[1:] > rpm / 60 / 4]) ** 2)) / len(samples)
    assert rms == pytest.approx(severity, rel=0.1)
    record = generate(scenario, seed)
    assert (record.severity_mm_s, record.fault_hz, len(record.impact_s)) == (severity, None, 0)


def order_amplitudes(scenario: Scenario, seed: int) -> dict[float, float]:
    """Velocity at multiples of half the speed, relative to that at 1x."""
    hz, amplitude = spectrum(contribution(scenario, seed), 1 / scenario.rate_hz)
    orders = np.arange(0.5, 12.5, 0.5)
    lines = [amplitude[np.argmin(np.abs(hz - order * scenario.rpm / 60))] / order for order in orders]
    return dict(zip(orders.tolist(), (np.array(lines) / lines[1]).tolist(), strict=True))


def test_each_shaft_fault_has_its_own_pattern_of_orders() -> None:
    of = {fault: order_amplitudes(Scenario(fault, duration_s=8.0), 3) for fault in SHAFT_FAULTS}
    assert max(of[Fault.UNBALANCE][order] for order in (0.5, 2.0, 3.0)) < 1e-3
    assert of[Fault.MISALIGNMENT][2.0] == pytest.approx(2.0, rel=0.02)
    assert of[Fault.MISALIGNMENT][3.0] == pytest.approx(0.7, rel=0.02)
    assert of[Fault.MISALIGNMENT][0.5] < 1e-3
    assert all(of[Fault.LOOSENESS][order] > 0.1 for order in np.arange(0.5, 10.5, 0.5))
    assert of[Fault.LOOSENESS][10.5] < 1e-3


def test_the_lines_of_looseness_fluctuate_and_those_of_unbalance_do_not() -> None:
    def fluctuation(fault: Fault) -> float:
        scenario = Scenario(fault, duration_s=8.0)
        parts = contribution(scenario, 1).reshape(20, -1)
        turns = np.exp(-2j * np.pi * 30 * np.arange(parts.shape[1]) / scenario.rate_hz)
        strength = np.abs(parts @ turns)
        return float(strength.std() / strength.mean())

    assert fluctuation(Fault.UNBALANCE) < 1e-6
    assert fluctuation(Fault.LOOSENESS) > 0.1


def test_fluctuation_leaves_the_mean_power_as_asked() -> None:
    scenario = Scenario(Fault.LOOSENESS, rate_hz=2000, resonances=(), background=(), duration_s=10.0)
    power = np.mean([contribution(scenario, seed) ** 2 for seed in range(30)])
    weights = np.array([(1.0 if order % 1 == 0 else 0.5) / order**0.5 for order in np.arange(0.5, 10.5, 0.5)])
    omegas = 2 * np.pi * 30 * np.arange(0.5, 10.5, 0.5)
    expected = np.sum((scenario.severity_mm_s * weights / np.linalg.norm(weights) * omegas / G_MM_S2) ** 2)
    assert power == pytest.approx(expected, rel=0.03)


def test_unbalance_grows_with_the_square_of_the_speed() -> None:
    scenario = Scenario(Fault.UNBALANCE, run_up=0.5, duration_s=4.0)
    inner = slice(10_000, -10_000)
    speed = generate(scenario, 0).speed_rpm[inner]
    amplitude = np.abs(hilbert(contribution(scenario, 0)))[inner]
    slope, _ = np.polyfit(np.log(speed), np.log(amplitude), 1)
    assert slope == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize(("fault", "spacing"), [(Fault.INNER_RACE, 1.0), (Fault.ROLLING_ELEMENT, 0.39828)])
def test_the_load_zone_makes_sidebands(fault: Fault, spacing: float) -> None:
    rotating = generate(Scenario(fault, snr_db=10.0), 5)
    fixed = generate(Scenario(Fault.OUTER_RACE, snr_db=10.0), 5)
    assert rotating.fault_hz is not None
    assert fixed.fault_hz is not None
    for sign in (-1, 1):
        assert level_of(rotating, rotating.fault_hz + sign * spacing * 30) > CLEAR
        assert level_of(fixed, fixed.fault_hz + sign * spacing * 30) < ABSENT


@given(run_up=st.floats(0.1, 0.5), fault=st.sampled_from([Fault.OUTER_RACE, Fault.INNER_RACE]), seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_impacts_follow_the_speed(run_up: float, fault: Fault, seed: int) -> None:
    scenario = Scenario(fault, run_up=run_up, wander=0.02, snr_db=3.0, jitter=0.002, interval_spread=0.001)
    record = generate(scenario, seed)
    revolutions = np.concatenate([[0.0], np.cumsum(record.speed_rpm[:-1])]) / 60 / scenario.rate_hz
    even = np.linspace(0, revolutions[-1], len(revolutions))
    # The envelope and not the signal is resampled: the resonance does not follow the speed.
    envelope = np.interp(even, revolutions, np.abs(hilbert(record.signal.samples)) ** 2)
    axis, amplitude = spectrum(envelope - envelope.mean(), even[1])
    order = kinematic_hz(fault, scenario.orders, 60)
    peak = amplitude[np.abs(axis - order) <= 2.01 * axis[1]].max()
    assert peak / np.median(amplitude[(axis > 0.1) & (axis < 10 * order)]) > CLEAR
    assert record.fault_hz is not None
    assert level_of(record, record.fault_hz) < 0.6 * peak / np.median(amplitude[(axis > 0.1) & (axis < 10 * order)])


def test_gear_lines_have_sidebands_of_the_shaft_and_the_hum_keeps_to_the_mains() -> None:
    def amplitude_at(lines: Scenario, hz: float) -> float:
        axis, amplitude = spectrum(generate(lines, 2).signal.samples, 1 / lines.rate_hz)
        return float(amplitude[np.argmin(np.abs(axis - hz))])

    meshing = Scenario(rpm=1500, gears=(Gear(20, 0.2, 0.4),), hum=Hum(60.0, 0.05), noise_g=1e-4, shaft_mm_s=())
    assert amplitude_at(meshing, 500) == pytest.approx(0.2, rel=0.05)
    assert amplitude_at(meshing, 1000) == pytest.approx(0.1, rel=0.1)
    # Half the sum and half the difference of the modulations, 0.4 of the amplitude and 0.2 of the phase, on 0.2 g.
    assert [amplitude_at(meshing, hz) for hz in (475, 525)] == pytest.approx([0.02, 0.06], rel=0.05)
    assert amplitude_at(meshing, 512.5) < 1e-3
    for rpm in (1500.0, 1740.0):
        assert amplitude_at(replace(meshing, rpm=rpm), 120) == pytest.approx(0.05, rel=0.01)


def test_a_healthy_machine_has_its_shaft_lines() -> None:
    scenario = Scenario(shaft_mm_s=(0.4, 0.2, 0.1), noise_g=1e-4, duration_s=4.0)
    hz, amplitude = spectrum(generate(scenario, 0).signal.samples, 1 / scenario.rate_hz)
    for order, velocity in enumerate(scenario.shaft_mm_s, start=1):
        expected_g = 2**0.5 * velocity * 2 * np.pi * 30 * order / G_MM_S2
        assert amplitude[np.argmin(np.abs(hz - 30 * order))] == pytest.approx(expected_g, rel=0.01)


def band_power(scenario: Scenario, low_hz: float, high_hz: float) -> float:
    samples = generate(quiet(scenario), 0).signal.samples
    hz = np.fft.rfftfreq(len(samples), 1 / scenario.rate_hz)
    return float(np.mean(np.abs(np.fft.rfft(samples)[(hz > low_hz) & (hz < high_hz)]) ** 2))


def test_the_noise_has_the_power_asked_for_and_the_colour_of_the_structure() -> None:
    coloured = Scenario(resonances=(Mode(3000.0, 0.05),), background=(), noise_g=0.2, duration_s=8.0)
    assert generate(quiet(coloured), 0).signal.samples.std() == pytest.approx(0.2, rel=1e-3)
    assert band_power(coloured, 2900, 3100) > 5 * band_power(coloured, 8000, 9000)
    white = replace(coloured, colour=0.0)
    assert band_power(white, 2900, 3100) == pytest.approx(band_power(white, 8000, 9000), rel=0.2)
    without_modes = replace(coloured, resonances=())
    np.testing.assert_array_equal(
        generate(without_modes, 0).signal.samples, generate(replace(without_modes, colour=0.0), 0).signal.samples
    )


def test_the_impacts_ring_at_the_resonance() -> None:
    hz, amplitude = spectrum(contribution(Scenario(Fault.OUTER_RACE, resonances=(Mode(4200.0, 0.04),)), 0), 1 / 25_600)
    assert hz[np.argmax(amplitude)] == pytest.approx(4200, abs=200)


@pytest.mark.parametrize("fault", (Fault.NONE, *FAULTS))
def test_the_same_seed_gives_the_same_samples_and_another_gives_others(fault: Fault) -> None:
    scenario = Scenario(fault, duration_s=0.5, wander=0.01, hum=Hum(50, 0.1), gears=(Gear(17, 0.1),))
    samples = generate(scenario, 4).signal.samples
    np.testing.assert_array_equal(samples, generate(scenario, 4).signal.samples)
    assert abs(np.corrcoef(samples, generate(scenario, 5).signal.samples)[0, 1]) < 0.999
    assert samples.dtype == np.float64
    assert samples.shape == (12_800,)


@pytest.mark.parametrize("fault", BEARING_FAULTS)
def test_a_fault_adds_to_a_record_and_changes_nothing_else(fault: Fault) -> None:
    faint, strong = (contribution(Scenario(fault, snr_db=snr_db, wander=0.01), 6) for snr_db in (-20.0, 0.0))
    np.testing.assert_allclose(strong, 10 * faint, atol=1e-12)


def test_the_record_says_what_is_known_of_it() -> None:
    record = generate(Scenario(Fault.INNER_RACE, rpm=1200, run_up=0.2), 0)
    assert (record.label, record.signal.unit, record.signal.rate_hz) == (Fault.INNER_RACE, Unit.G, 25_600)
    assert record.signal.orders == Scenario().orders
    assert record.signal.rpm == pytest.approx(record.speed_rpm.mean())
    assert (record.speed_rpm[0], record.speed_rpm[-1]) == pytest.approx((1080, 1320), abs=0.1)
    healthy = generate(Scenario(), 0)
    assert (healthy.fault_hz, healthy.snr_db, healthy.severity_mm_s) == (None, None, None)


def test_the_gain_of_the_sensor_multiplies_everything() -> None:
    once, twice = (generate(Scenario(Fault.CAGE, gain=gain), 0).signal.samples for gain in (1.0, 2.0))
    np.testing.assert_array_equal(twice, 2 * once)


def test_what_cannot_be_generated_is_refused() -> None:
    with pytest.raises(ValueError, match="fault is gear; expected none or one of outer_race"):
        Scenario(Fault.GEAR)
    with pytest.raises(ValueError, match="a mode is at 5000 Hz; expected less than half the rate, 5000 Hz"):
        Scenario(rate_hz=10_000, resonances=(Mode(5000.0, 0.05),), background=())
    with pytest.raises(ValueError, match=r"no impact falls into 0\.001 s"):
        generate(Scenario(Fault.CAGE, duration_s=0.001), 0)
