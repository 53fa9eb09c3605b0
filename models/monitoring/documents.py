"""What monitoring says of a snapshot, as the document that machines read."""

from typing import Any

from andon.models.alerts.case import AlertKind, Observation
from andon.models.stream.windows import WindowResult


def window_document(result: WindowResult) -> dict[str, Any]:
    """Build the ``window`` object: health, zone and diagnosis of one snapshot.

    ``score`` and what follows it are None where health was not judged, because the machine stood or is being learned, or the
    sensor cannot be believed.
    """
    checks = {each.kind: each for each in result.observations}
    health, zone, fault = (checks.get(kind) for kind in (AlertKind.ANOMALY, AlertKind.ZONE, AlertKind.FAULT))
    sensor = checks.get(AlertKind.SENSOR)
    judged = health if health and health.valid else None
    return {
        "type": "window",
        "asset": result.head.asset,
        "sensor": result.head.sensor,
        "time": result.head.time.isoformat(),
        "sensor_ok": sensor is not None and not sensor.abnormal,
        "judged": judged is not None,
        "anomalous": judged.abnormal if judged else None,
        "score": judged.score if judged else None,
        "threshold": judged.threshold if judged else None,
        "contributions": dict(judged.contributions) if judged else {},
        "zone": zone.zone if zone else None,
        **_fault_document(fault),
    }


def _fault_document(fault: Observation | None) -> dict[str, Any]:
    return {
        "fault": fault.fault.value if fault else None,
        "p_value": fault.p_value if fault else None,
        "severity": fault.severity.value if fault else None,
    }
