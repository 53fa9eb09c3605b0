"""Vibration severity by ISO 10816-3:2009 (GB/T 6075.3) and ISO 10816-1: zones, ALARM and TRIP.

Zone A: as new. B: fit for long unrestricted operation. C: fit for a limited time only. D: severe enough to do damage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from andon.models.types.errors import AssetError
from andon.models.types.vibration import MachineClass
from andon.models.vibration.integration import Band

ISO_10816_3 = "iso10816-3"
ISO_10816_1 = "iso10816-1"
ALARM_STEP = 0.25
"""ISO 10816-3, on setting ALARMS: the baseline plus a quarter of the B/C limit."""
ALARM_CEILING = 1.25
"""The same: at most 1.25 times the B/C limit; and on setting TRIPS: at most 1.25 times the C/D limit."""
GROUP_2_KW = (15.0, 300.0)
GROUP_1_MAX_KW = 50_000.0
"""ISO 10816-3, classification: medium machines from 15 to 300 kW, large ones up to 50 MW."""
SCOPE_RPM = (120.0, 15_000.0)
"""ISO 10816-3, scope: the speeds for which it holds."""
SLOW_RPM = 600.0
NORMAL_BAND = Band(10.0, 1000.0)
SLOW_BAND = Band(2.0, 1000.0)
"""ISO 10816-3, measuring equipment: from 10 Hz to 1,000 Hz, and from 2 Hz for machines that turn at less than 600 rpm."""


class Zone(StrEnum):
    """Evaluation zone, from as new to dangerous."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The limits between the zones of one measure: A/B, B/C and C/D."""

    a_b: float
    b_c: float
    c_d: float

    def zone(self, value: float) -> Zone:
        """Return the zone of ``value``; what lies on a limit is still in the better zone.

        >>> Boundaries(1.4, 2.8, 4.5).zone(4.5)
        <Zone.C: 'C'>
        """
        # "Not at most" rather than "above": what is not a number is never taken for a good machine.
        return tuple(Zone)[sum(not value <= limit for limit in (self.a_b, self.b_c, self.c_d))]

    def alarm(self, baseline: float) -> float:
        """Return the ALARM for a machine whose usual level is ``baseline``."""
        return min(baseline + ALARM_STEP * self.b_c, ALARM_CEILING * self.b_c)

    @property
    def trip(self) -> float:
        """The highest TRIP that the standard allows."""
        return ALARM_CEILING * self.c_d


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a class of machines: velocity in mm/s rms, and displacement in um rms where the standard has it."""

    velocity_mm_s: Boundaries
    displacement_um: Boundaries | None = None


LIMITS: Mapping[MachineClass, Limits] = {
    MachineClass(ISO_10816_3, "1", "rigid"): Limits(Boundaries(2.3, 4.5, 7.1), Boundaries(29, 57, 90)),
    MachineClass(ISO_10816_3, "1", "flexible"): Limits(Boundaries(3.5, 7.1, 11.0), Boundaries(45, 90, 140)),
    MachineClass(ISO_10816_3, "2", "rigid"): Limits(Boundaries(1.4, 2.8, 4.5), Boundaries(22, 45, 71)),
    MachineClass(ISO_10816_3, "2", "flexible"): Limits(Boundaries(2.3, 4.5, 7.1), Boundaries(37, 71, 113)),
    MachineClass(ISO_10816_1, "I"): Limits(Boundaries(0.71, 1.8, 4.5)),
    MachineClass(ISO_10816_1, "II"): Limits(Boundaries(1.12, 2.8, 7.1)),
    MachineClass(ISO_10816_1, "III"): Limits(Boundaries(1.8, 4.5, 11.2)),
    MachineClass(ISO_10816_1, "IV"): Limits(Boundaries(2.8, 7.1, 18.0)),
}
"""ISO 10816-3:2009, tables A.1 and A.2, and ISO 10816-1:1995, table B.1."""


@dataclass(frozen=True, slots=True)
class ZoneVerdict:
    """The zone; None with ``reason``, a message code, where there is none."""

    zone: Zone | None
    reason: str | None = None


def machine_class_name(machine_class: MachineClass) -> str:
    """Write a machine class as it is given on the command line.

    >>> machine_class_name(MachineClass("iso10816-1", "II"))
    'iso10816-1:II'
    """
    return ":".join(filter(None, (machine_class.standard, machine_class.group, machine_class.support)))


def parse_machine_class(text: str, subject: str = "--machine") -> MachineClass:
    """Read a machine class such as ``iso10816-3:2:rigid`` or ``iso10816-1:II``.

    Parameters
    ----------
    subject
        The option, or the place in a file, that an error names.

    Raises
    ------
    AssetError
        If there is no such class.

    Examples
    --------
    >>> parse_machine_class("iso10816-3:2:rigid")
    MachineClass(standard='iso10816-3', group='2', support='rigid')
    """
    known = {machine_class_name(each).lower(): each for each in LIMITS}
    if (found := known.get(text.strip().lower())) is None:
        names = ", ".join(machine_class_name(each) for each in LIMITS)
        raise AssetError("zone.machine_class", subject, found=text, known=names)
    return found


def machine_class_of(power_kw: float | None, support: str) -> MachineClass | None:
    """Choose the class of ISO 10816-3 from rated power and support.

    Parameters
    ----------
    support
        ``rigid`` or ``flexible``: by the lowest natural frequency of machine and support in the direction measured, at least 25 %
        above the main excitation or not.

    Returns
    -------
    MachineClass or None
        None where the standard does not cover the power, or one of the two is not known.

    Examples
    --------
    >>> machine_class_of(75, "rigid")
    MachineClass(standard='iso10816-3', group='2', support='rigid')
    """
    if (group := _group_of(power_kw)) is None:
        return None
    wanted = MachineClass(ISO_10816_3, group, support)
    return wanted if wanted in LIMITS else None


def _group_of(power_kw: float | None) -> str | None:
    if power_kw is None or not GROUP_2_KW[0] <= power_kw <= GROUP_1_MAX_KW:
        return None
    return "2" if power_kw <= GROUP_2_KW[1] else "1"


def evaluation_band(rpm: float | None) -> Band:
    """Return the band in which velocity and displacement are judged; the normal one where the speed is not known.

    >>> evaluation_band(450)
    Band(low_hz=2.0, high_hz=1000.0)
    """
    return SLOW_BAND if rpm is not None and rpm < SLOW_RPM else NORMAL_BAND


def zone_of(machine_class: MachineClass, velocity_rms_mm_s: float, displacement_rms_um: float | None = None) -> Zone:
    """Judge a machine by velocity, and by displacement where the standard has limits for it: the worse of both governs.

    Parameters
    ----------
    velocity_rms_mm_s, displacement_rms_um
        Within ``evaluation_band``.

    Raises
    ------
    AssetError
        If there is no such class.

    Examples
    --------
    >>> zone_of(MachineClass("iso10816-3", "2", "rigid"), 1.0, 60.0)
    <Zone.C: 'C'>
    """
    limits = limits_of(machine_class)
    by_velocity = limits.velocity_mm_s.zone(velocity_rms_mm_s)
    if limits.displacement_um is None or displacement_rms_um is None:
        return by_velocity
    return max(by_velocity, limits.displacement_um.zone(displacement_rms_um))


def limits_of(machine_class: MachineClass) -> Limits:
    """Look up the limits of a class.

    Raises
    ------
    AssetError
        If there is no such class.
    """
    return LIMITS[parse_machine_class(machine_class_name(machine_class), "machine_class")]


@dataclass(frozen=True, slots=True)
class Levels:
    """What a zone is judged from; None where the record does not allow it.

    Parameters
    ----------
    rate_hz
        Samples a second.
    """

    velocity_rms_mm_s: float | None
    displacement_rms_um: float | None
    rate_hz: float
    rpm: float | None = None


def judge(machine_class: MachineClass | None, levels: Levels) -> ZoneVerdict:
    """Judge a record, or say why that cannot be done.

    Parameters
    ----------
    machine_class
        None where nobody knows it.

    Returns
    -------
    ZoneVerdict
        Without a zone where the class is not known, the record too short for a level, the rate too low for the band, or the speed
        outside the standard's scope.
    """
    if machine_class is None:
        return ZoneVerdict(None, "zone.no_class")
    if levels.rpm is not None and not SCOPE_RPM[0] <= levels.rpm <= SCOPE_RPM[1]:
        return ZoneVerdict(None, "zone.speed")
    if levels.rate_hz < 2 * NORMAL_BAND.high_hz:
        return ZoneVerdict(None, "zone.low_rate")
    if levels.velocity_rms_mm_s is None:
        return ZoneVerdict(None, "zone.short_record")
    return ZoneVerdict(zone_of(machine_class, levels.velocity_rms_mm_s, levels.displacement_rms_um))
