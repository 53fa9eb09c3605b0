"""Whether a machine vibrates more than it used to when it was known to be well."""

from collections.abc import Mapping
from dataclasses import dataclass

from andon.models.types.vibration import MachineClass
from andon.models.vibration.zones import limits_of

ACCELERATION_FACTOR = 2.0
"""6 dB: no standard sets limits for acceleration; a doubling is what condition monitoring takes for a change (ISO 13373-1)."""


@dataclass(frozen=True, slots=True)
class OwnLevels:
    """A machine's levels in good condition: velocity within the band of its zone, acceleration over the whole band."""

    velocity_rms_mm_s: float | None
    acceleration_rms_m_s2: float | None


def own_levels(indicators: Mapping[str, float | None]) -> OwnLevels:
    """Take a machine's levels from the indicators of a record in good condition."""
    return OwnLevels(indicators.get("velocity_rms_mm_s"), indicators.get("rms_m_s2"))


def has_risen(indicators: Mapping[str, float | None], own: OwnLevels, machine_class: MachineClass | None) -> bool:
    """Compare a record's levels with the machine's own.

    Velocity has risen above the ALARM of ISO 10816-3 (baseline and a quarter of the B/C limit), where the class is known;
    acceleration has risen when it has doubled.
    """
    velocity, acceleration = indicators.get("velocity_rms_mm_s"), indicators.get("rms_m_s2")
    by_velocity = (
        velocity is not None
        and own.velocity_rms_mm_s is not None
        and machine_class is not None
        and velocity > limits_of(machine_class).velocity_mm_s.alarm(own.velocity_rms_mm_s)
    )
    by_acceleration = (
        acceleration is not None
        and own.acceleration_rms_m_s2 is not None
        and acceleration > ACCELERATION_FACTOR * own.acceleration_rms_m_s2
    )
    return by_velocity or by_acceleration
