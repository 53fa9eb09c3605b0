"""Whether a machine vibrates more than it used to when it was known to be well."""

from collections.abc import Mapping
from dataclasses import dataclass

from andon.models.types.vibration import MachineClass
from andon.models.vibration.zones import limits_of

RISE_FACTOR = 2.0
"""6 dB: what condition monitoring takes for a change (ISO 13373-1) where no standard sets a limit. None does for acceleration."""


@dataclass(frozen=True, slots=True)
class OwnLevels:
    """A machine's levels in good condition: velocity within the band of its zone, acceleration over the whole band."""

    velocity_rms_mm_s: float | None
    acceleration_rms_m_s2: float | None


def own_levels(indicators: Mapping[str, float | None]) -> OwnLevels:
    """Take a machine's levels from the indicators of a record in good condition."""
    return OwnLevels(indicators.get("velocity_rms_mm_s"), indicators.get("rms_m_s2"))


@dataclass(frozen=True, slots=True)
class Rise:
    """Whether a record's velocity and acceleration are above the machine's own; None where that is not known.

    Impacts of a bearing raise the acceleration long before they raise the velocity, of which the shaft's lines are the largest part
    in good condition too: only a rise in velocity says something of the shaft.
    """

    velocity: bool | None = None
    acceleration: bool | None = None

    @property
    def any(self) -> bool:
        """Whether one of them is known to have risen."""
        return bool(self.velocity or self.acceleration)


def rise_over(own: OwnLevels, indicators: Mapping[str, float | None], machine_class: MachineClass | None) -> Rise:
    """Compare a record's levels with the machine's own.

    Velocity has risen above the ALARM of ISO 10816-3 (baseline and a quarter of the B/C limit) where the class is known, otherwise when
    it has doubled; acceleration when it has doubled.
    """
    now = own_levels(indicators)
    return Rise(
        _exceeds(now.velocity_rms_mm_s, own.velocity_rms_mm_s, machine_class),
        _exceeds(now.acceleration_rms_m_s2, own.acceleration_rms_m_s2, None),
    )


def _exceeds(now: float | None, own: float | None, machine_class: MachineClass | None) -> bool | None:
    if now is None or own is None:
        return None
    return now > (limits_of(machine_class).velocity_mm_s.alarm(own) if machine_class else RISE_FACTOR * own)
