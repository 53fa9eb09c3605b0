"""What is kept of a signal, and answered to whoever sent it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from andon.datasets.condition.desk import Assessment, HealthJudge
from andon.datasets.store.conditions import SignalRecord
from andon.models.alerts.card import alert_document
from andon.models.types.identifiers import new_id
from andon.models.types.moments import as_text
from andon.models.types.vibration import Signal
from andon.models.vibration.documents import diagnosis_document


def describe(signal: Signal, judge: HealthJudge | None, waveform: str, assessed: Assessment) -> SignalRecord:
    """Make what is kept of a signal, and answered.

    Parameters
    ----------
    waveform
        SHA-256 of its samples' file, which is kept already.
    """
    identifier, found = new_id(), assessed.diagnosis
    document = {
        "id": identifier,
        "time": as_text(assessed.time),
        "path": None,
        "asset": signal.asset or None,
        "sensor_name": signal.sensor or None,
        **diagnosis_document(found),
        "plots": [],
        "health": _health_document(assessed, judge),
        "alerts": [alert_document(alert) for alert in assessed.alerts],
    }
    return SignalRecord(
        id=identifier,
        time=assessed.time,
        received=datetime.now(UTC),
        asset=signal.asset,
        sensor=signal.sensor,
        rate_hz=signal.rate_hz,
        unit=signal.unit.value,
        rpm=signal.rpm,
        duration_s=signal.duration_s,
        fault=found.fault.value,
        severity=found.severity.value,
        zone=document["zone"],
        running=assessed.health.running,
        waveform=waveform,
        indicators={name: value for name, value in document["indicators"].items() if value is not None},
        request_key=None,
        request_digest=None,
        document=msgspec.json.encode(document),
    )


def _health_document(assessed: Assessment, judge: HealthJudge | None) -> dict[str, Any] | None:
    middle = assessed.health.middle
    if middle is None or judge is None:
        return None
    return {
        "model": judge.name,
        "bundle_digest": judge.digest,
        "anomalous": assessed.health.abnormal,
        "score": middle.score,
        "threshold": middle.threshold,
        "contributions": dict(middle.contributions or {}),
    }
