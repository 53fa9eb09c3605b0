"""What a station says of parts and machines, as metrics of Sparkplug B.

A station and an asset are each a device. ``Inspection/...`` is of the last part, ``Signal/{sensor}/...`` of the last snapshot of a sensor,
``Alert/...`` of the last alert.
"""

from datetime import datetime

import msgspec

from andon.hardware.messaging.documents import Indicators, StationVerdict, alert_id
from andon.hardware.messaging.sparkplug_payload import DataType, Metric
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert

INSPECTION = (
    ("Inspection/Id", DataType.STRING),
    ("Inspection/Verdict", DataType.STRING),
    ("Inspection/Verdict Code", DataType.UINT8),
    ("Inspection/Score", DataType.DOUBLE),
    ("Inspection/Threshold", DataType.DOUBLE),
    ("Inspection/Serial", DataType.STRING),
    ("Inspection/Reason", DataType.STRING),
    ("Inspection/Milliseconds", DataType.DOUBLE),
    ("Inspection/Bundle", DataType.STRING),
)
ALERT = (
    ("Alert/Id", DataType.STRING),
    ("Alert/Event", DataType.STRING),
    ("Alert/State", DataType.STRING),
    ("Alert/Kind", DataType.STRING),
    ("Alert/Fault", DataType.STRING),
    ("Alert/Severity", DataType.STRING),
    ("Alert/Since", DataType.DATETIME),
    ("Alert/Document", DataType.TEXT),
)


def unknown(names: tuple[tuple[str, DataType], ...]) -> tuple[Metric, ...]:
    """Build metrics of which no value is known yet, for the birth of a device."""
    return tuple(Metric(name, datatype, None) for name, datatype in names)


def verdict_metrics(verdict: StationVerdict) -> tuple[Metric, ...]:
    """Build the metrics ``INSPECTION``."""
    values = (
        verdict.id,
        verdict.verdict.name,
        int(verdict.verdict),
        verdict.score,
        verdict.threshold,
        verdict.serial or None,
        verdict.reason,
        verdict.milliseconds,
        verdict.bundle or None,
    )
    return _at(verdict.time, INSPECTION, values)


def indicator_metrics(indicators: Indicators) -> tuple[Metric, ...]:
    """Build a metric ``Signal/{sensor}/{indicator}`` for each, the unit at the end of its name."""
    return tuple(
        Metric(f"Signal/{indicators.sensor}/{name}", DataType.DOUBLE, value, indicators.time)
        for name, value in indicators.values.items()
    )


def alert_metrics(alert: Alert) -> tuple[Metric, ...]:
    """Build the metrics ``ALERT``; the document is the ``alert`` object as JSON."""
    lead = alert.case.lead
    values = (
        alert_id(alert),
        alert.event.value,
        alert.case.state.value,
        lead.kind.value,
        lead.fault.value,
        lead.severity.value,
        lead.since,
        msgspec.json.encode(alert_document(alert)).decode(),
    )
    return _at(alert.time, ALERT, values)


def _at(
    time: datetime, names: tuple[tuple[str, DataType], ...], values: tuple[str | int | float | datetime | None, ...]
) -> tuple[Metric, ...]:
    return tuple(Metric(name, datatype, value, time) for (name, datatype), value in zip(names, values, strict=True))
