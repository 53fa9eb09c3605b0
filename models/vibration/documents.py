"""A diagnosis as the document that machines read."""

from dataclasses import asdict
from typing import Any

from andon.models.types.vibration import Diagnosis


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
