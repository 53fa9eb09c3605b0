"""From whole records to a named fault, or to the reason why none is named."""

import json
from dataclasses import replace

import numpy as np
import pytest

from andon.datasets.synthetic.bearings.generator import generate
from andon.datasets.synthetic.bearings.scenario import ORDERS_6205, Gear, Hum, Scenario
from andon.models.types.vibration import (
    Bearing,
    BearingOrders,
    Diagnosis,
    Direction,
    Fault,
    Machine,
    MachineClass,
    Sensor,
    Severity,
    Signal,
    Unit,
)
from andon.models.vibration.bearing_faults import decoy_orders
from andon.models.vibration.diagnosis import MAX_DURATION_S, PhysicsDiagnoser
from andon.models.vibration.documents import diagnosis_document
from andon.models.vibration.integration import Band, band_waveform
from andon.models.vibration.rise import OwnLevels
from andon.models.vibration.units import STANDARD_GRAVITY_M_S2, Quantity

BEARING = Bearing("DE", ORDERS_6205, "tests", "6205")
MACHINE = Machine(
    asset="P-1",
    machine_class=MachineClass("iso10816-3", "2", "rigid"),
    rpm=1780,
    min_rpm=1770,
    max_rpm=1800,
    line_hz=60.0,
    bearings=(BEARING,),
    sensors=(Sensor("a", "DE"),),
)
UNKNOWN_MACHINE = Machine()
QUIET = Scenario(duration_s=4.0, gears=(Gear(31, 0.05),), hum=Hum(60.0, 0.005))
OTHER_ORDERS = BearingOrders(4.37, 6.63, 2.87, 0.397)


def record(fault: Fault = Fault.NONE, seed: int = 1, **scenario: float) -> Signal:
    signal = generate(replace(QUIET, fault=fault, **scenario), seed).signal  # type: ignore[arg-type]
    return replace(signal, asset="P-1", sensor="a", orders=None)


def diagnose(signal: Signal, machine: Machine = MACHINE, own: OwnLevels | None = None) -> Diagnosis:
    return PhysicsDiagnoser(own).diagnose(signal, machine)


def tone(hz: float, velocity_mm_s: float, seconds: float = 4.0) -> Signal:
    """A line of that velocity RMS in a little noise, in g."""
    time = np.arange(int(25_600 * seconds)) / 25_600
    peak_g = 2**0.5 * velocity_mm_s * 2 * np.pi * hz / 1000 / STANDARD_GRAVITY_M_S2
    samples = peak_g * np.cos(2 * np.pi * hz * time) + np.random.default_rng(0).normal(0, 0.02, len(time))
    return Signal(samples, 25_600.0, Unit.G, "a", rpm=1800)


def test_a_healthy_machine_has_no_fault() -> None:
    found = diagnose(record())
    assert (found.fault, found.zone, found.severity) == (Fault.NONE, "A", Severity.NORMAL)
    assert found.p_value is not None
    assert found.p_value > 0.05
    assert {each.fault for each in found.ranked} == {Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT}
    assert found.sensor.ok
    assert found.limits == ("diagnosis.too_short",), "for the cage"
    assert found.rpm == pytest.approx(1800, rel=1e-3)


@pytest.mark.parametrize("fault", [Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT])
def test_a_bearing_fault_is_named_with_its_lines(fault: Fault) -> None:
    found = diagnose(record(fault, snr_db=-3.0))
    assert found.fault is fault
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.ranked[0].fault is fault
    assert [each.score for each in found.ranked] == sorted((each.score for each in found.ranked), reverse=True)
    order = {Fault.OUTER_RACE: 3.5848, Fault.INNER_RACE: 5.4152, Fault.ROLLING_ELEMENT: 2 * 2.3568}[fault]
    assert len(found.evidence) >= 2
    for line in found.evidence:
        assert line.order == pytest.approx(order * line.harmonic, rel=0.01)
        assert line.frequency_hz == pytest.approx(30 * order * line.harmonic, rel=0.01)
        assert line.level_db >= 6


def test_severity_of_a_bearing_fault_rises_with_its_impacts() -> None:
    early, late = (diagnose(record(Fault.OUTER_RACE, snr_db=snr_db)) for snr_db in (-6.0, 9.0))
    assert early.fault is late.fault is Fault.OUTER_RACE
    assert (early.severity, late.severity) == (Severity.WATCH, Severity.WARNING)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.UNBALANCE, Fault.UNBALANCE_OR_MISALIGNMENT),
        (Fault.MISALIGNMENT, Fault.MISALIGNMENT),
        (Fault.LOOSENESS, Fault.LOOSENESS),
    ],
)
@pytest.mark.parametrize(("severity_mm_s", "zone", "severity"), [(3.6, "C", "warning"), (8.0, "D", "danger")])
def test_a_shaft_fault_is_named_from_zone_c_on(
    fault: Fault, said: Fault, severity_mm_s: float, zone: str, severity: str
) -> None:
    found = diagnose(record(fault, severity_mm_s=severity_mm_s))
    assert (found.fault, found.zone, found.severity.value) == (said, zone, severity)
    assert found.p_value is None
    assert found.ranked[0].score == max(each.score for each in found.ranked)
    assert ("diagnosis.one_radial_channel" in found.limits) is (said is Fault.UNBALANCE_OR_MISALIGNMENT)
    shaft = [each for each in found.ranked if each.fault is said]
    assert 0.75 < shaft[0].score <= 1
    assert all(line.order == pytest.approx(round(2 * line.order) / 2) for line in found.evidence if line.order)


def test_only_lines_that_rise_are_evidence() -> None:
    """1x alone: twice and three times it are looked at, and there is nothing."""
    found = diagnose(tone(30, 6.0))
    assert found.fault is Fault.UNBALANCE_OR_MISALIGNMENT
    (line,) = found.evidence
    assert line.harmonic == 1
    assert line.order == pytest.approx(1)
    assert line.level_db > 20


def test_in_zone_b_a_shaft_fault_is_none() -> None:
    found = diagnose(record(Fault.UNBALANCE, severity_mm_s=2.0))
    assert (found.fault, found.zone, found.severity) == (Fault.NONE, "B", Severity.NORMAL)


def test_an_axial_sensor_sees_misalignment() -> None:
    machine = replace(MACHINE, sensors=(Sensor("a", "DE", Direction.AXIAL),))
    found = diagnose(record(Fault.UNBALANCE, severity_mm_s=4.0), machine)
    assert found.fault is Fault.MISALIGNMENT
    assert "diagnosis.one_radial_channel" not in found.limits


def test_a_rise_over_its_own_level_is_enough_without_a_class() -> None:
    signal = record(Fault.UNBALANCE, severity_mm_s=4.0)
    machine = replace(MACHINE, machine_class=None)
    assert diagnose(signal, machine).fault is Fault.NONE
    assert "diagnosis.no_severity" in diagnose(signal, machine).limits
    risen = diagnose(signal, machine, OwnLevels(0.5, None))
    assert risen.fault is Fault.UNBALANCE_OR_MISALIGNMENT
    assert (risen.zone, risen.zone_reason, risen.severity) == (None, "zone.no_class", Severity.WARNING)
    usual = diagnose(signal, machine, OwnLevels(3.5, None))
    assert usual.fault is Fault.NONE
    assert "diagnosis.no_severity" not in usual.limits, "its own level is known"


def test_a_rise_in_zone_b_is_watched() -> None:
    found = diagnose(record(Fault.UNBALANCE, severity_mm_s=2.2), own=OwnLevels(0.5, None))
    assert (found.fault, found.zone, found.severity) == (Fault.UNBALANCE_OR_MISALIGNMENT, "B", Severity.WATCH)


def test_impacts_that_raise_the_acceleration_alone_are_not_blamed_on_the_shaft() -> None:
    """In good condition too, the shaft's lines are the largest part of the velocity."""
    signal = record(Fault.OUTER_RACE, snr_db=6.0)
    found = diagnose(signal, own=OwnLevels(0.45, 0.9))
    assert (found.fault, found.zone) == (Fault.OUTER_RACE, "A")
    assert {each.fault for each in found.ranked} == {Fault.OUTER_RACE, Fault.INNER_RACE, Fault.ROLLING_ELEMENT}
    unexplained = diagnose(record(), own=OwnLevels(0.45, 0.1))
    assert unexplained.fault is Fault.UNKNOWN
    assert "diagnosis.unexplained_level" in unexplained.limits


def test_a_faint_line_is_a_fault_only_where_the_level_has_risen() -> None:
    """Weak and steady impacts: periodic beyond doubt, but no more impulsive than noise."""
    signal = record(Fault.OUTER_RACE, seed=0, snr_db=-7.0, jitter=0.001, interval_spread=0.0, duration_s=16.0)
    found = diagnose(signal)
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert (found.fault, found.severity) == (Fault.NONE, Severity.NORMAL)
    assert "diagnosis.faint_line" in found.limits
    assert found.evidence, "the line is shown all the same"
    risen = diagnose(signal, own=OwnLevels(None, 0.4))
    assert risen.fault is Fault.OUTER_RACE
    assert risen.severity is Severity.WARNING


def test_where_other_frequencies_rise_as_much_no_part_is_named() -> None:
    """Noise whose power follows the outer race, and five orders at which no part of a bearing can be, twice as deeply."""
    time = np.arange(4 * 8192) / 8192
    power = np.ones(len(time))
    for order, depth in {ORDERS_6205.bpfo: 0.15, **dict.fromkeys(decoy_orders(ORDERS_6205)[::12], 0.3)}.items():
        for number in (1, 2, 3, 4):
            power += depth / number * np.cos(2 * np.pi * number * order * 30 * time + number)
    samples = np.sqrt(np.maximum(power, 0)) * np.random.default_rng(0).normal(0, 0.1, len(time))
    found = diagnose(Signal(samples, 8192.0, Unit.G, "a", rpm=1800))
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.fault is Fault.UNKNOWN
    assert "diagnosis.decoys" in found.limits


def test_a_high_level_that_nothing_explains_is_unknown() -> None:
    found = diagnose(tone(187.3, 6.0))
    assert (found.fault, found.zone, found.severity) == (Fault.UNKNOWN, "D", Severity.DANGER)
    assert "diagnosis.unexplained_level" in found.limits


def test_gears_blades_and_mains_explain_a_high_level() -> None:
    machine = replace(MACHINE, teeth=(23,), blades=5, line_hz=50.0)
    assert diagnose(tone(23 * 30, 6.0), machine).fault is Fault.GEAR
    assert diagnose(tone(5 * 30, 6.0), machine).fault is Fault.BLADE_PASS
    assert diagnose(tone(100, 6.0), machine).fault is Fault.ELECTRICAL


def test_twice_the_speed_beside_twice_the_mains_is_said() -> None:
    signal = replace(tone(99.9, 6.0), rpm=2997)
    found = diagnose(signal, replace(MACHINE, line_hz=50.0))
    assert found.fault in (Fault.ELECTRICAL, Fault.MISALIGNMENT)
    assert "diagnosis.twice_line" in found.limits


def test_what_explains_a_severe_level_is_named_before_a_bearing() -> None:
    both = record(Fault.OUTER_RACE, snr_db=0.0)
    unbalanced = replace(both, samples=both.samples + tone(30, 6.0).samples)
    found = diagnose(unbalanced)
    assert found.fault is Fault.UNBALANCE_OR_MISALIGNMENT
    assert {Fault.OUTER_RACE, Fault.UNBALANCE_OR_MISALIGNMENT} <= {each.fault for each in found.ranked}
    assert diagnose(both).fault is Fault.OUTER_RACE


def test_an_unbelievable_signal_gives_no_finding() -> None:
    clipped = record(Fault.OUTER_RACE, snr_db=3.0)
    found = diagnose(replace(clipped, samples=clipped.samples.clip(-0.1, 0.1)))
    assert (found.fault, found.severity, found.zone) == (Fault.UNKNOWN, Severity.UNKNOWN, None)
    assert (found.zone_reason, found.limits) == ("zone.sensor", ("diagnosis.sensor",))
    assert found.sensor.reasons == ("sensor.clipping",)
    assert found.indicators["rms_m_s2"] is not None
    assert not found.ranked
    assert not found.evidence


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_give_nothing_at_all(bad: float) -> None:
    signal = record()
    samples = signal.samples.copy()
    samples[-1] = bad
    found = diagnose(replace(signal, samples=samples))
    assert (found.fault, found.sensor.reasons, dict(found.indicators)) == (Fault.UNKNOWN, ("sensor.not_finite",), {})
    json.dumps(diagnosis_document(found), allow_nan=False)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 20, 50, 200])
def test_a_tiny_record_does_no_harm(n: int) -> None:
    signal = Signal(np.random.default_rng(n).normal(size=n), 12_000.0, Unit.G, rpm=1800)
    found = diagnose(signal)
    assert found.fault is Fault.UNKNOWN
    assert found.limits
    json.dumps(diagnosis_document(found), allow_nan=False)


def test_without_a_speed_the_rest_is_done() -> None:
    signal = replace(record(Fault.OUTER_RACE, snr_db=3.0), rpm=None)
    found = diagnose(signal, Machine(bearings=(BEARING,), machine_class=MACHINE.machine_class))
    assert (found.fault, found.rpm, found.zone) == (Fault.NONE, None, "A")
    assert "diagnosis.no_speed" in found.limits
    assert found.p_value is None
    assert found.indicators["velocity_rms_mm_s"] is not None
    assert found.indicators["x1_velocity_mm_s"] is None


def test_a_speed_between_nameplate_and_synchronous_is_read_from_the_record() -> None:
    signal = replace(record(Fault.OUTER_RACE, snr_db=3.0, rpm=1788.0), rpm=None)
    found = diagnose(signal)
    assert found.rpm == pytest.approx(1788, rel=1e-3)
    assert found.fault is Fault.OUTER_RACE


def test_severe_but_without_a_speed_nothing_is_named() -> None:
    signal = replace(tone(187.3, 6.0), rpm=None)
    found = diagnose(signal, Machine(machine_class=MACHINE.machine_class))
    assert (found.fault, found.zone, found.severity) == (Fault.UNKNOWN, "D", Severity.DANGER)
    assert {"diagnosis.no_speed", "diagnosis.no_bearing"} <= set(found.limits)


def test_without_a_bearing_the_shaft_is_looked_at() -> None:
    found = diagnose(record(), replace(MACHINE, bearings=()))
    assert (found.fault, found.p_value, found.limits) == (Fault.NONE, None, ("diagnosis.no_bearing",))


def test_of_an_unknown_machine_nothing_is_known() -> None:
    found = diagnose(record(), UNKNOWN_MACHINE)
    assert (found.fault, found.severity) == (Fault.UNKNOWN, Severity.UNKNOWN)
    assert set(found.limits) == {"diagnosis.no_bearing", "diagnosis.no_severity"}


def test_velocity_judges_the_shaft_but_no_bearing() -> None:
    signal = record(Fault.MISALIGNMENT, severity_mm_s=5.0)
    velocity = band_waveform(
        signal.samples * STANDARD_GRAVITY_M_S2,
        signal.rate_hz,
        Quantity.ACCELERATION,
        Quantity.VELOCITY,
        Band(10.0, 1000.0),
    )
    found = diagnose(replace(signal, samples=velocity, unit=Unit.MM_S))
    assert (found.fault, found.zone) == (Fault.MISALIGNMENT, "D")
    assert "diagnosis.no_acceleration" in found.limits
    assert found.indicators["kurtosis"] is None


def test_a_short_record_says_what_it_is_too_short_for() -> None:
    found = diagnose(record(Fault.OUTER_RACE, snr_db=6.0, duration_s=0.5))
    assert (found.fault, found.zone, found.zone_reason) == (Fault.UNKNOWN, None, "zone.short_record")
    assert found.limits == ("diagnosis.too_short",)
    assert found.p_value is None


def test_a_low_rate_says_what_it_does_not_hold() -> None:
    signal = record(duration_s=8.0)
    found = diagnose(replace(signal, samples=signal.samples[::20].copy(), rate_hz=signal.rate_hz / 20))
    assert found.fault is Fault.UNKNOWN
    assert "diagnosis.low_rate" in found.limits
    assert not found.ranked
    assert found.zone_reason == "zone.low_rate"


def test_few_turns_tell_nothing_of_the_shaft() -> None:
    """A kiln of 3 Hz in noise that falls with the frequency: each window holds a part of it, and no line is there."""
    signal = Signal(np.random.default_rng(0).normal(0, 0.1, 4 * 2048), 2048.0, Unit.G, rpm=180)
    found = diagnose(signal, Machine(machine_class=MACHINE.machine_class))
    assert (found.fault, found.zone, found.severity) == (Fault.UNKNOWN, "D", Severity.DANGER)
    assert found.limits == ("diagnosis.no_bearing", "diagnosis.few_turns")
    enough = diagnose(replace(signal, rpm=330), Machine(machine_class=MACHINE.machine_class))
    assert enough.fault is Fault.UNKNOWN
    assert enough.limits == ("diagnosis.no_bearing", "diagnosis.unexplained_level")


def test_of_a_long_record_the_first_part_is_diagnosed() -> None:
    """A fault that begins after 30 s is not seen, and that it was not looked for is said."""
    healthy, damaged = record(duration_s=MAX_DURATION_S), record(Fault.OUTER_RACE, snr_db=6.0)
    long = replace(healthy, samples=np.concatenate([healthy.samples, damaged.samples]))
    found, first = diagnose(long), diagnose(healthy)
    assert found.fault is Fault.NONE
    assert found.limits == (*first.limits, "diagnosis.first_part")
    assert replace(found, limits=()) == replace(first, limits=())


def test_the_bearing_at_the_sensors_place_is_looked_at() -> None:
    signal = record(Fault.OUTER_RACE, snr_db=3.0)
    other = Bearing("NDE", OTHER_ORDERS, "tests")
    machine = replace(MACHINE, bearings=(other, BEARING), sensors=(Sensor("a", "DE"), Sensor("b", "NDE")))
    assert diagnose(signal, machine).fault is Fault.OUTER_RACE
    assert diagnose(replace(signal, sensor="b"), machine).fault is not Fault.OUTER_RACE
    anywhere = diagnose(replace(signal, sensor="c"), machine)
    assert anywhere.fault is Fault.OUTER_RACE, "an unknown place may be any"


def test_several_bearings_are_several_tries() -> None:
    """Sidak's formula: the p-value of a healthy record of a machine with two bearings."""
    signal = record(seed=5)
    two = (BEARING, Bearing("DE", OTHER_ORDERS, "tests"))
    alone = [diagnose(signal, replace(MACHINE, bearings=(each,))) for each in two]
    strongest = max(alone, key=lambda found: found.ranked[0].score)
    assert strongest.p_value is not None
    both = diagnose(signal, replace(MACHINE, bearings=two))
    assert both.p_value == pytest.approx(1 - (1 - strongest.p_value) ** 2)


def test_the_orders_of_the_record_serve_where_the_machine_has_no_bearing() -> None:
    signal = replace(record(Fault.INNER_RACE, snr_db=3.0), orders=ORDERS_6205)
    assert diagnose(signal, UNKNOWN_MACHINE).fault is Fault.INNER_RACE
    other = replace(MACHINE, bearings=(Bearing("DE", OTHER_ORDERS, "tests"),))
    assert diagnose(signal, other).fault is not Fault.INNER_RACE, "what the owner says counts more"


def test_gain_in_the_unit_has_no_influence_on_the_fault() -> None:
    signal = record(Fault.INNER_RACE, snr_db=-3.0)
    in_m_s2 = replace(signal, samples=signal.samples * STANDARD_GRAVITY_M_S2, unit=Unit.M_S2)
    first, second = diagnose(signal), diagnose(in_m_s2)
    assert (first.fault, first.zone, first.p_value) == (second.fault, second.zone, second.p_value)
    for name, value in first.indicators.items():
        assert second.indicators[name] == pytest.approx(value)


def test_the_document_has_the_fields_of_the_interface() -> None:
    found = diagnose(record(Fault.OUTER_RACE, snr_db=3.0))
    document = json.loads(json.dumps(diagnosis_document(found), allow_nan=False))
    assert list(document) == [
        "indicators",
        "zone",
        "zone_reason",
        "fault",
        "p_value",
        "ranked",
        "evidence",
        "sensor",
        "severity",
        "rpm",
        "limits",
    ]
    assert (document["zone"], document["zone_reason"]) == ("A", None)
    assert document["fault"] == "outer_race"
    assert document["sensor"] == {"ok": True, "reasons": []}
    assert [list(each) for each in document["ranked"]] == [["fault", "score", "p_value"]] * 3
    assert {tuple(each) for each in document["evidence"]} == {("frequency_hz", "order", "harmonic", "level_db")}
    assert document["severity"] == found.severity.value
    assert document["rpm"] == found.rpm


def test_a_diagnosis_is_repeatable_and_leaves_the_record_alone() -> None:
    signal = record(Fault.ROLLING_ELEMENT)
    before = signal.samples.copy()
    assert diagnose(signal) == diagnose(signal)
    np.testing.assert_array_equal(signal.samples, before)
