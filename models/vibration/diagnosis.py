"""From one record to a named fault, or to an honest "unknown": physics alone, no history needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from andon.models.types.vibration import (
    Bearing,
    Diagnosis,
    Direction,
    Evidence,
    Fault,
    Machine,
    RankedFault,
    SensorHealth,
    Severity,
    Signal,
    most_urgent,
)
from andon.models.vibration.bearing_faults import SIGNIFICANCE, BearingEvidence, bearing_evidence
from andon.models.vibration.comb import Tooth
from andon.models.vibration.indicators import indicator_document
from andon.models.vibration.integration import power_lines
from andon.models.vibration.mains import mains_hz_of
from andon.models.vibration.rise import OwnLevels, Rise, rise_over
from andon.models.vibration.sensor_health import check_sensor
from andon.models.vibration.shaft_faults import (
    DOMINANT_SHARE,
    MIN_TURNS,
    ShaftFinding,
    shaft_findings,
    stands_beside_mains,
    velocity_lines,
)
from andon.models.vibration.shaft_speed import ShaftSpeed, shaft_speed
from andon.models.vibration.units import Quantity, quantity_of, to_working_unit
from andon.models.vibration.zones import Levels, Zone, ZoneVerdict, evaluation_band, judge

MAX_DURATION_S = 30.0
"""Over longer stretches the speed of a drive wanders by more than a line's width; the first part is diagnosed, and that is said."""

STRONG_KURTOSIS = 6.0
"""Twice that of Gaussian noise: impacts show in the raw signal, the fault is past its first stage. A convention."""

_SHOWN_RATIO = 2.0
"""Harmonics that rise less than 6 dB over the background are no evidence."""

SEVERITY_OF_ZONE = {Zone.A: Severity.NORMAL, Zone.B: Severity.NORMAL, Zone.C: Severity.WARNING, Zone.D: Severity.DANGER}


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What is read from a record before anything is concluded."""

    signal: Signal
    machine: Machine
    direction: Direction
    indicators: dict[str, float | None]
    zone: ZoneVerdict
    speed: ShaftSpeed | None
    rise: Rise

    @property
    def is_high(self) -> bool | None:
        """Whether the velocity is higher than it should be for long, or than it used to be; None where nothing tells."""
        if self.zone.zone is None and self.rise.velocity is None:
            return None
        return self.zone.zone in (Zone.C, Zone.D) or bool(self.rise.velocity)

    @property
    def is_severe(self) -> bool:
        """Whether the velocity or the acceleration is."""
        return bool(self.is_high or self.rise.acceleration)


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """What one way of looking concludes. ``looked`` says whether it could look at all."""

    fault: Fault = Fault.NONE
    p_value: float | None = None
    ranked: tuple[RankedFault, ...] = ()
    teeth: tuple[tuple[int, Tooth], ...] = ()
    severity: Severity = Severity.UNKNOWN
    limits: tuple[str, ...] = ()
    looked: bool = True


class PhysicsDiagnoser:
    """Diagnoses a record by what its machine's parts must do to it.

    Parameters
    ----------
    own
        The machine's own levels when it was known to be well; None where nobody knows.
    """

    def __init__(self, own: OwnLevels | None = None) -> None:
        self._own = own

    def diagnose(self, signal: Signal, machine: Machine) -> Diagnosis:
        """Diagnose one record.

        A signal that cannot be believed gives ``unknown`` with the reasons, and whatever indicators it allows.
        """
        if signal.duration_s > MAX_DURATION_S:
            first = replace(signal, samples=signal.samples[: int(MAX_DURATION_S * signal.rate_hz)])
            found = self.diagnose(first, machine)
            return replace(found, limits=(*found.limits, "diagnosis.first_part"))
        sensor = check_sensor(signal)
        if "sensor.not_finite" in sensor.reasons:
            return _unbelievable(sensor, {})
        speed = shaft_speed(signal, machine) if sensor.ok else None
        indicators = dict(indicator_document(signal, speed.hz * 60 if speed else signal.rpm))
        if not sensor.ok:
            return _unbelievable(sensor, indicators)
        return _diagnosis(self._read(signal, machine, indicators, speed), sensor)

    def _read(
        self, signal: Signal, machine: Machine, indicators: dict[str, float | None], speed: ShaftSpeed | None
    ) -> _Reading:
        rpm = speed.hz * 60 if speed else machine.rpm
        velocity, displacement = indicators.get("velocity_rms_mm_s"), indicators.get("displacement_rms_um")
        levels = Levels(velocity, displacement, signal.rate_hz, rpm)
        return _Reading(
            signal=signal,
            machine=machine,
            direction=next(
                (each.direction for each in machine.sensors if each.name == signal.sensor), Direction.RADIAL
            ),
            indicators=indicators,
            zone=judge(machine.machine_class, levels),
            speed=speed,
            rise=rise_over(self._own, indicators, machine.machine_class) if self._own else Rise(),
        )


def _diagnosis(reading: _Reading, sensor: SensorHealth) -> Diagnosis:
    bearing, shaft = _look_at_bearings(reading), _look_at_shaft(reading)
    chosen = _choose(bearing, shaft, reading)
    of_zone = SEVERITY_OF_ZONE[reading.zone.zone] if reading.zone.zone else Severity.UNKNOWN
    shaft_hz = reading.speed.hz if reading.speed else None
    return Diagnosis(
        indicators=reading.indicators,
        zone=reading.zone.zone,
        zone_reason=reading.zone.reason,
        fault=chosen.fault,
        p_value=chosen.p_value,
        ranked=tuple(sorted((*bearing.ranked, *shaft.ranked), key=lambda ranked: -ranked.score)),
        evidence=tuple(_evidence(chosen.teeth, shaft_hz)),
        sensor=sensor,
        severity=most_urgent(chosen.severity, of_zone),
        rpm=shaft_hz * 60 if shaft_hz else None,
        limits=tuple(dict.fromkeys((*bearing.limits, *shaft.limits, *chosen.limits))),
    )


def _choose(bearing: _Conclusion, shaft: _Conclusion, reading: _Reading) -> _Conclusion:
    """The finding to name: what explains a severe level first, then the bearing's."""
    if shaft.fault not in (Fault.NONE, Fault.UNKNOWN):
        return shaft
    if bearing.fault is not Fault.NONE:
        return bearing
    if not (bearing.looked or shaft.looked):
        return replace(bearing, fault=Fault.UNKNOWN)
    if reading.is_severe:
        return replace(bearing, fault=Fault.UNKNOWN, limits=("diagnosis.unexplained_level",))
    return replace(bearing, severity=Severity.NORMAL)


def _look_at_bearings(reading: _Reading) -> _Conclusion:
    bearings = bearings_at(reading.signal, reading.machine)
    if quantity_of(reading.signal.unit) is not Quantity.ACCELERATION:
        return _Conclusion(limits=("diagnosis.no_acceleration",), looked=False)
    if not bearings:
        return _Conclusion(limits=("diagnosis.no_bearing",), looked=False)
    if reading.speed is None:
        return _Conclusion(limits=("diagnosis.no_speed",), looked=False)
    mains = mains_hz_of(reading.machine)
    signal, shaft_hz = reading.signal, reading.speed.hz
    found = [bearing_evidence(signal.samples, signal.rate_hz, shaft_hz, each.orders, mains) for each in bearings]
    best = max(found, key=lambda evidence: evidence.findings[0].excess if evidence.findings else -np.inf)
    return _of_bearing(best, len(found), reading)


def _of_bearing(evidence: BearingEvidence, n_bearings: int, reading: _Reading) -> _Conclusion:
    """Name the part, or say why not. Several bearings are several tries: Sidak's formula again."""
    limits = tuple(_limits_of_bearing(evidence))
    if not evidence.findings:
        return _Conclusion(fault=Fault.UNKNOWN, limits=limits)
    p_value = 1 - (1 - evidence.p_value) ** n_bearings
    ranked = tuple(RankedFault(each.fault, each.excess, each.p_value) for each in evidence.findings)
    none = _Conclusion(Fault.NONE, p_value, ranked, limits=limits)
    best = evidence.findings[0]
    if p_value >= SIGNIFICANCE:
        return none
    teeth = tuple(enumerate(best.comb.teeth, start=1))
    if not (evidence.impulsive or reading.rise.any):
        return replace(none, teeth=teeth, limits=(*limits, "diagnosis.faint_line"))
    if not evidence.stands_out:
        return replace(none, fault=Fault.UNKNOWN, teeth=teeth, limits=(*limits, "diagnosis.decoys"))
    strong = (reading.indicators.get("kurtosis") or 0.0) >= STRONG_KURTOSIS or reading.rise.any
    return replace(none, fault=best.fault, teeth=teeth, severity=Severity.WARNING if strong else Severity.WATCH)


def _limits_of_bearing(evidence: BearingEvidence) -> Iterator[str]:
    if evidence.too_short_for:
        yield "diagnosis.too_short"
    if evidence.out_of_reach:
        yield "diagnosis.low_rate"


def bearings_at(signal: Signal, machine: Machine) -> Sequence[Bearing]:
    """The bearings that a record may speak of: at the sensor's place, or all of the machine, or the one that the record names."""
    place = next((each.place for each in machine.sensors if each.name == signal.sensor), "")
    there = [each for each in machine.bearings if place and each.place == place]
    own = (Bearing("", signal.orders, "record"),) if signal.orders else ()
    return there or machine.bearings or own


def _look_at_shaft(reading: _Reading) -> _Conclusion:
    if reading.is_high is None:
        # Where the class is known, the zone's own reason says what is missing.
        return _Conclusion(limits=() if reading.machine.machine_class else ("diagnosis.no_severity",), looked=False)
    if not reading.is_high:
        return _Conclusion()
    if reading.speed is None:
        return _Conclusion(limits=("diagnosis.no_speed",), looked=False)
    if reading.speed.hz * reading.signal.duration_s < MIN_TURNS:
        return _Conclusion(limits=("diagnosis.few_turns",), looked=False)
    lines = velocity_lines(
        power_lines(
            to_working_unit(reading.signal.samples, reading.signal.unit),
            reading.signal.rate_hz,
            quantity_of(reading.signal.unit),
        ),
        evaluation_band(reading.speed.hz * 60),
    )
    findings = shaft_findings(lines, reading.speed.hz, reading.machine, reading.direction)
    ranked = tuple(RankedFault(each.fault, each.share, None) for each in findings)
    if findings[0].share < DOMINANT_SHARE:
        return _Conclusion(Fault.UNKNOWN, ranked=ranked)
    severity = SEVERITY_OF_ZONE[reading.zone.zone] if reading.zone.zone else Severity.WARNING
    return _Conclusion(
        findings[0].fault,
        None,
        ranked,
        findings[0].teeth,
        most_urgent(severity, Severity.WATCH),
        tuple(_limits_of_shaft(findings[0], reading, lines.resolution_hz)),
    )


def _limits_of_shaft(finding: ShaftFinding, reading: _Reading, resolution_hz: float) -> Iterator[str]:
    if finding.fault is Fault.UNBALANCE_OR_MISALIGNMENT:
        yield "diagnosis.one_radial_channel"
    if reading.speed and stands_beside_mains(reading.speed.hz, reading.machine, resolution_hz):
        yield "diagnosis.twice_line"


def _evidence(teeth: Sequence[tuple[int, Tooth]], shaft_hz: float | None) -> Iterator[Evidence]:
    for number, tooth in teeth:
        if tooth.ratio >= _SHOWN_RATIO:
            order = tooth.frequency_hz / shaft_hz if shaft_hz else None
            yield Evidence(tooth.frequency_hz, order, number, float(20 * np.log10(tooth.ratio)))


def _unbelievable(sensor: SensorHealth, indicators: dict[str, float | None]) -> Diagnosis:
    return Diagnosis(
        indicators=indicators,
        zone=None,
        zone_reason="zone.sensor",
        fault=Fault.UNKNOWN,
        p_value=None,
        ranked=(),
        evidence=(),
        sensor=sensor,
        severity=Severity.UNKNOWN,
        limits=("diagnosis.sensor",),
    )
