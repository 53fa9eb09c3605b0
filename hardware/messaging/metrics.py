"""What a station says of parts and machines, as metrics of Sparkplug B.

A station and an asset are each a device. ``Inspection/...`` is of the last part, ``Signal/{sensor}/...`` of the last snapshot of a sensor,
``Alert/...`` of the last alert.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from andon.hardware.messaging.documents import AlertTold, Indicators, Said, StationVerdict, alert_told
from andon.hardware.messaging.outbox import Kind
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
    return _told_metrics(alert_told(alert_document(alert)))


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What is told of a device, under an identifier."""

    id: str
    kind: Kind
    device: str
    metrics: tuple[Metric, ...]


def report_of(said: Said) -> DeviceReport:
    """Put whatever is told into metrics of the device that it is about."""
    match said:
        case StationVerdict():
            return DeviceReport(said.id, Kind.VERDICT, said.station, verdict_metrics(said))
        case Indicators():
            return DeviceReport(said.id, Kind.INDICATOR, said.asset, indicator_metrics(said))
        case AlertTold():
            return DeviceReport(said.id, Kind.ALERT, said.asset, _told_metrics(said))


def _told_metrics(alert: AlertTold) -> tuple[Metric, ...]:
    document = alert.document
    values = (
        alert.id,
        *(document[name] for name in ("event", "state", "kind", "fault", "severity")),
        _lead_since(document),
        msgspec.json.encode(document).decode(),
    )
    return _at(alert.time, ALERT, values)


def _lead_since(document: Mapping[str, Any]) -> datetime:
    """Since when the leading finding is there; the document's own ``since`` is that of the earliest."""
    lead = (document["sensor"], document["kind"])
    since = next(each["since"] for each in document["findings"] if (each["sensor"], each["kind"]) == lead)
    return datetime.fromisoformat(since)


def _at(
    time: datetime, names: tuple[tuple[str, DataType], ...], values: tuple[str | int | float | datetime | None, ...]
) -> tuple[Metric, ...]:
    return tuple(Metric(name, datatype, value, time) for (name, datatype), value in zip(names, values, strict=True))
