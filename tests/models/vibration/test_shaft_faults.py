"""Lines of the velocity spectrum speak of their cause, each with its share of the vibration."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.types.vibration import Direction, Fault, Machine
from andon.models.vibration.integration import Band, PowerLines, power_lines
from andon.models.vibration.shaft_faults import (
    DOMINANT_SHARE,
    LOOSE_HARMONICS,
    MIN_TURNS,
    ShaftFinding,
    VelocityLines,
    shaft_findings,
    stands_beside_mains,
    velocity_lines,
)
from andon.models.vibration.units import Quantity
from andon.models.vibration.zones import evaluation_band

RATE_HZ, DURATION_S = 5120.0, 4.0
BAND = Band(10.0, 1000.0)
SHAFT_HZ = 24.7
NOISE_MM_S = 0.1
MACHINE = Machine()
quick = settings(max_examples=40, deadline=None)


def spectrum(peaks_mm_s: dict[float, float], noise_mm_s: float = NOISE_MM_S, seed: int = 0) -> VelocityLines:
    """A record of acceleration with velocity lines of the given peak by their frequency, in noise."""
    time = np.arange(int(RATE_HZ * DURATION_S)) / RATE_HZ
    generator = np.random.default_rng(seed)
    samples = noise_mm_s * 2 * np.pi * 100 / 1000 * generator.normal(size=len(time))
    for hz, peak in peaks_mm_s.items():
        samples += peak * 2 * np.pi * hz / 1000 * np.cos(2 * np.pi * hz * time + generator.uniform(0, 2 * np.pi))
    return velocity_lines(power_lines(samples, RATE_HZ), BAND)


def by_order(peaks: dict[float, float], noise_mm_s: float = NOISE_MM_S, seed: int = 0) -> VelocityLines:
    return spectrum({order * SHAFT_HZ: peak for order, peak in peaks.items()}, noise_mm_s, seed)


def leading(lines: VelocityLines, machine: Machine = MACHINE, direction: Direction = Direction.RADIAL) -> ShaftFinding:
    return shaft_findings(lines, SHAFT_HZ, machine, direction)[0]


@quick
@given(hz=st.floats(12, 900), peak=st.floats(0.1, 50), phase=st.floats(0, 6), step=st.sampled_from(Quantity))
def test_a_line_has_the_power_of_its_velocity(hz: float, peak: float, phase: float, step: Quantity) -> None:
    """Whatever was measured: a peak of v mm/s is a mean square of v^2 / 2, at w v / 1000 m/s2 or 1000 v / w um."""
    time = np.arange(int(RATE_HZ * DURATION_S)) / RATE_HZ
    measured = peak * (2 * np.pi * hz / 1000) ** (1 - step) * np.cos(2 * np.pi * hz * time + phase)
    lines = velocity_lines(power_lines(measured, RATE_HZ, step), BAND)
    assert lines.line(hz) == pytest.approx(peak**2 / 2, rel=0.02)
    assert lines.total() == pytest.approx(peak**2 / 2, rel=0.02)
    beside = hz * 1.1 + 5
    assert lines.line(beside) < 1e-3 * lines.line(hz)


def test_what_lies_outside_the_band_does_not_count() -> None:
    lines = velocity_lines(PowerLines(np.ones(2001), 1000.0, 4.0, Quantity.VELOCITY), BAND)
    assert np.flatnonzero(lines.power).tolist() == list(range(40, 2001))
    assert (
        np.flatnonzero(velocity_lines(PowerLines(np.ones(9001), 4500.0, 4.0, Quantity.VELOCITY), BAND).power)[-1]
        == 3999
    )


@quick
@given(hz=st.floats(40, 900), seed=st.integers(0, 2**32 - 1))
def test_noise_is_no_line(hz: float, seed: int) -> None:
    """What a window of noise holds is taken off; what remains is within some spreads of nothing."""
    lines = spectrum({}, seed=seed)
    assert lines.line(hz) < 0.05 * lines.total()
    assert lines.tooth(hz).ratio < 2.5


@quick
@given(hz=st.floats(15, 900), peak=st.floats(2, 20), seed=st.integers(0, 2**32 - 1))
def test_a_line_in_noise_keeps_its_power_and_stands_out_by_its_level(hz: float, peak: float, seed: int) -> None:
    lines = spectrum({hz: peak}, seed=seed)
    assert lines.line(hz) == pytest.approx(peak**2 / 2, rel=0.1)
    tooth = lines.tooth(hz)
    alone = spectrum({}, seed=seed).tooth(hz)
    assert tooth.frequency_hz == hz
    assert tooth.ratio > 5 * alone.ratio


@pytest.mark.parametrize("slope", [0.0, -2.0])
@pytest.mark.parametrize("place", [20, 45, 200, 1500])
def test_what_noise_holds_is_taken_off_on_average(place: int, slope: float) -> None:
    """Exponentially distributed power, flat or falling as velocity does: at 20 lines it halves every eight."""
    level = np.arange(1, 2002) ** slope
    draws = [
        VelocityLines(np.append(0, np.random.default_rng([place, seed]).exponential(level[:-1])), 1.0)
        for seed in range(200)
    ]
    width = 2 * max(2, round(0.004 * place)) + 1
    # Half of the windows hold less than the mean: their line is nothing. The other half leave their excess.
    remaining = np.mean([lines.line(place) for lines in draws])
    assert remaining < 0.35 * width * level[place - 1]
    assert np.median([lines.tooth(place).ratio for lines in draws]) == pytest.approx(1, abs=0.12)


def test_at_the_edge_of_the_band_the_background_is_that_of_the_band() -> None:
    """Lines that were left out are zero; counted, they would make the background nothing."""
    lines = spectrum({10.6: 5.0})
    assert lines.line(10.6) == pytest.approx(12.5, rel=0.1)
    assert 5 < lines.tooth(10.6).ratio < 1000
    draws = [np.random.default_rng(seed).exponential(size=1000) for seed in range(100)]
    ratios = [VelocityLines(np.append(np.zeros(40), each), 0.25).tooth(11.0).ratio for each in draws]
    assert np.median(ratios) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(
    ("peaks", "direction", "fault"),
    [
        ({1: 6.0}, Direction.RADIAL, Fault.UNBALANCE_OR_MISALIGNMENT),
        ({1: 6.0, 2: 1.0, 3: 0.5}, Direction.HORIZONTAL, Fault.UNBALANCE_OR_MISALIGNMENT),
        ({1: 3.0, 2: 6.0, 3: 2.0}, Direction.RADIAL, Fault.MISALIGNMENT),
        ({1: 6.0, 2: 1.0}, Direction.AXIAL, Fault.MISALIGNMENT),
        ({1: 6.0, 2: 4.0, 3: 3.0, 4: 2.0, 5: 1.5, 6: 1.0}, Direction.RADIAL, Fault.LOOSENESS),
        ({0.5: 1.0, 1: 6.0, 1.5: 1.0, 2: 1.0, 2.5: 1.0, 3: 1.0}, Direction.VERTICAL, Fault.LOOSENESS),
    ],
)
def test_harmonics_of_the_shaft_speak_of_their_cause(
    peaks: dict[float, float], direction: Direction, fault: Fault
) -> None:
    found = leading(by_order(peaks), direction=direction)
    assert found.fault is fault
    assert found.share > 0.9


@pytest.mark.parametrize("count", [LOOSE_HARMONICS - 1, LOOSE_HARMONICS])
def test_looseness_needs_a_series(count: int) -> None:
    # 0.5x is 12.35 Hz, within the band.
    further = dict.fromkeys((0.5, 1.5, 3.0, 5.0, 7.0)[:count], 1.0)
    assert (leading(by_order({1: 6.0, **further})).fault is Fault.LOOSENESS) is (count == LOOSE_HARMONICS)


def test_a_tenth_of_the_leading_line_is_the_least_that_counts() -> None:
    for share, is_loose in ((0.13, True), (0.07, False)):
        peaks = dict.fromkeys((1.5, 3.0, 4.0, 5.0, 6.0), 20.0 * share)
        assert (leading(by_order({1: 20.0, **peaks})).fault is Fault.LOOSENESS) is is_loose


@quick
@given(seed=st.integers(0, 2**32 - 1), noise_mm_s=st.floats(0.1, 20))
def test_noise_alone_is_neither_loose_nor_anything_else(seed: int, noise_mm_s: float) -> None:
    found = leading(spectrum({}, noise_mm_s, seed))
    assert found.fault is not Fault.LOOSENESS
    assert found.share < DOMINANT_SHARE / 2


@quick
@given(
    turns=st.floats(MIN_TURNS, 300),
    rpm=st.floats(120, 6000),
    colour=st.floats(-0.5, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_noise_of_any_colour_and_length_is_no_fault(turns: float, rpm: float, colour: float, seed: int) -> None:
    """From acceleration that falls with the root of the frequency to acceleration that rises with it."""
    n = int(2560 * np.clip(turns / (rpm / 60), 1, 30))
    bins = np.fft.rfft(np.random.default_rng(seed).normal(size=n))
    bins[1:] *= np.fft.rfftfreq(n)[1:] ** colour
    lines = velocity_lines(power_lines(np.fft.irfft(bins, n), 2560.0), evaluation_band(rpm))
    assert shaft_findings(lines, rpm / 60, MACHINE, Direction.RADIAL)[0].share < DOMINANT_SHARE


def test_noise_between_the_lines_takes_its_share() -> None:
    """Half of the power in 1x, half in noise: the share says so, whatever part of the noise is in the windows."""
    quiet = by_order({1: 6.0})
    loud = by_order({1: 6.0}, noise_mm_s=NOISE_MM_S * np.sqrt(18 / by_order({}).total()))
    assert leading(quiet).share > 0.99
    assert leading(loud).share == pytest.approx(0.5, abs=0.07)


def test_lines_of_looseness_count_in_halves_and_ascend() -> None:
    teeth = leading(by_order(dict.fromkeys((0.5, 1, 1.5, 2, 2.5, 3, 4, 5), 3.0))).teeth
    for number, tooth in teeth:
        assert tooth.frequency_hz == pytest.approx(number * SHAFT_HZ / 2)
    assert [number for number, _ in teeth] == sorted(number for number, _ in teeth)
    strong = [number for number, tooth in teeth if tooth.ratio > 5]
    assert strong == [1, 2, 3, 4, 5, 6, 8, 10]


def test_gears_blades_and_mains_are_told_from_the_shaft() -> None:
    machine = Machine(teeth=(17,), blades=7, line_hz=50.0)
    mesh = by_order({17: 4.0, 16: 1.5, 18: 1.5, 34: 1.0, 1: 1.0})
    found = leading(mesh, machine)
    assert found.fault is Fault.GEAR
    assert [number for number, _ in found.teeth] == [1] * 5 + [2] * 5
    orders = [tooth.frequency_hz / SHAFT_HZ for _, tooth in found.teeth]
    assert orders == pytest.approx([15, 16, 17, 18, 19, 32, 33, 34, 35, 36])
    assert found.share > 0.9
    passing = leading(by_order({7: 4.0, 14: 2.0, 1: 1.0}), machine)
    assert passing.fault is Fault.BLADE_PASS
    assert [number for number, _ in passing.teeth] == [1, 2]
    humming = leading(spectrum({100.0: 4.0, SHAFT_HZ: 1.0}), machine)
    assert humming.fault is Fault.ELECTRICAL
    assert [(number, tooth.frequency_hz) for number, tooth in humming.teeth] == [(1, 100.0)]


def test_what_is_not_known_of_a_machine_is_not_looked_for() -> None:
    mesh = by_order({17: 4.0, 1: 1.0})
    found = shaft_findings(mesh, SHAFT_HZ, MACHINE, Direction.RADIAL)
    assert [each.fault for each in found] == [Fault.UNBALANCE_OR_MISALIGNMENT]
    assert found[0].share < 0.1
    known = shaft_findings(mesh, SHAFT_HZ, replace(MACHINE, teeth=(17,), blades=3), Direction.RADIAL)
    assert [each.fault for each in known] == [Fault.GEAR, Fault.UNBALANCE_OR_MISALIGNMENT, Fault.BLADE_PASS]


def test_silence_has_no_share() -> None:
    found = leading(VelocityLines(np.zeros(4001), 0.25))
    assert found.share == 0
    assert {tooth.ratio for _, tooth in found.teeth} == {1.0}


def test_lines_beyond_the_spectrum_are_nothing() -> None:
    lines = VelocityLines(np.ones(400), 0.25)
    assert lines.line(5000.0) == 0
    assert lines.tooth(5000.0).ratio == 1


@pytest.mark.parametrize(
    ("rpm", "resolution_hz", "beside"),
    [(2970, 0.25, False), (2970, 0.26, True), (2990, 0.01, True), (2970, 0.01, False), (1480, 1.0, False)],
)
def test_twice_the_speed_of_a_two_pole_motor_is_beside_twice_the_mains(
    rpm: float, resolution_hz: float, beside: bool
) -> None:
    """99 Hz beside 100 Hz: told apart where four lines fit between, and 0.4 % is exceeded."""
    assert stands_beside_mains(rpm / 60, Machine(line_hz=50.0), resolution_hz) is beside
    assert not stands_beside_mains(rpm / 60, MACHINE, resolution_hz)
