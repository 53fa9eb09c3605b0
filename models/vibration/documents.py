"""A diagnosis as the document that machines read."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from andon.models.alerts.card import FAULT_CODES
from andon.models.types.vibration import Diagnosis, Fault

FINDING_CODES: Mapping[Fault, str] = {
    **{Fault(name): code for name, code in FAULT_CODES.items()},
    Fault.NONE: "diagnosis.no_fault",
    Fault.UNKNOWN: "diagnosis.unnamed",
}
"""What is said of one record; an alert, which is given on an abnormal machine, says the last two otherwise."""


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Turn a diagnosis into a JSON-friendly object; reasons stay message codes, units stand in the names."""
    return {
        "indicators": dict(diagnosis.indicators),
        "zone": diagnosis.zone,
        "zone_reason": diagnosis.zone_reason,
        "fault": diagnosis.fault.value,
        "p_value": diagnosis.p_value,
        "ranked": [
            {"fault": each.fault.value, "score": each.score, "p_value": each.p_value} for each in diagnosis.ranked
        ],
        "evidence": [asdict(each) for each in diagnosis.evidence],
        "sensor": {"ok": diagnosis.sensor.ok, "reasons": list(diagnosis.sensor.reasons)},
        "severity": diagnosis.severity.value,
        "rpm": diagnosis.rpm,
        "limits": list(diagnosis.limits),
    }
