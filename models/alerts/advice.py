"""What to do about a fault, by how urgent it is, in the words of ``alert.toml``.

The advice is common maintenance practice in the sense of ISO 17359:2018 (GB/T 22393), clause 11: confirm, plan, act. It stops nothing by
itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from andon.models.alerts.case import AlertEvent, AlertKind, Finding
from andon.models.types.vibration import Fault, Severity


@dataclass(frozen=True, slots=True)
class Advice:
    """Message codes of what to do, by severity."""

    watch: str
    warning: str
    danger: str
    unknown: str

    def code(self, severity: Severity) -> str:
        """Return the code for a severity.

        >>> ADVICE[Fault.OUTER_RACE].code(Severity.DANGER)
        'alert.bearing_danger'
        """
        return {
            Severity.NORMAL: "alert.keep_observing",
            Severity.WATCH: self.watch,
            Severity.WARNING: self.warning,
            Severity.DANGER: self.danger,
            Severity.UNKNOWN: self.unknown,
        }[severity]


_BEARING = Advice("alert.bearing_watch", "alert.bearing_warning", "alert.bearing_danger", "alert.bearing_unknown")
_CAGE = Advice("alert.cage_watch", "alert.cage_warning", "alert.cage_danger", "alert.cage_unknown")
_UNBALANCE = Advice(
    "alert.unbalance_watch", "alert.unbalance_warning", "alert.unbalance_danger", "alert.unbalance_unknown"
)
_MISALIGNMENT = Advice(
    "alert.misalignment_watch",
    "alert.misalignment_warning",
    "alert.misalignment_danger",
    "alert.misalignment_unknown",
)
_EITHER = Advice("alert.either_watch", "alert.either_warning", "alert.either_danger", "alert.either_unknown")
_LOOSENESS = Advice(
    "alert.looseness_watch", "alert.looseness_warning", "alert.looseness_danger", "alert.looseness_unknown"
)
_GEAR = Advice("alert.gear_watch", "alert.gear_warning", "alert.gear_danger", "alert.gear_unknown")
_BLADES = Advice("alert.blades_watch", "alert.blades_warning", "alert.blades_danger", "alert.blades_unknown")
_ELECTRICAL = Advice(
    "alert.electrical_watch", "alert.electrical_warning", "alert.electrical_danger", "alert.electrical_unknown"
)
_UNNAMED = Advice("alert.unnamed_watch", "alert.unnamed_warning", "alert.unnamed_danger", "alert.unnamed_unknown")

ADVICE: Mapping[Fault, Advice] = {
    Fault.NONE: _UNNAMED,
    Fault.OUTER_RACE: _BEARING,
    Fault.INNER_RACE: _BEARING,
    Fault.ROLLING_ELEMENT: _BEARING,
    Fault.CAGE: _CAGE,
    Fault.UNBALANCE: _UNBALANCE,
    Fault.MISALIGNMENT: _MISALIGNMENT,
    Fault.UNBALANCE_OR_MISALIGNMENT: _EITHER,
    Fault.LOOSENESS: _LOOSENESS,
    Fault.GEAR: _GEAR,
    Fault.BLADE_PASS: _BLADES,
    Fault.ELECTRICAL: _ELECTRICAL,
    Fault.UNKNOWN: _UNNAMED,
}


def action_code(event: AlertEvent, finding: Finding) -> str:
    """Return the message code of what to do about a finding."""
    if event is AlertEvent.CLEARED:
        return "alert.act_cleared"
    if finding.kind is AlertKind.SENSOR:
        return "alert.act_sensor"
    if finding.kind is AlertKind.SILENCE:
        return "alert.act_silence"
    return ADVICE[finding.fault].code(finding.severity)
