"""What a station says of parts and machines, as JSON documents for MQTT.

Topics are ``andon/{site}/{source}/verdicts``, ``.../indicators`` and ``.../alerts``; in site and source, which is a station or an asset, what
is neither letter nor digit becomes ``_``. Each document has an ``event_id``, as the service's notifications do: what arrives twice under one is
the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from andon.hardware.messaging.outbox import Kind, Message
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert
from andon.models.types.identifiers import safe_name
from andon.models.types.line import VerdictCode
from andon.models.types.moments import as_text

TOPIC = "andon/{site}/{source}/{what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationVerdict:
    """What a station found of one part.

    Parameters
    ----------
    id
        Of the inspection.
    time
        When the part was exposed, in UTC.
    score, threshold
        None where there was no picture to score.
    reason
        A message code where the verdict is neither OK nor NG.
    milliseconds
        From the trigger to the verdict.
    bundle
        Digest of the bundle that judged, in hexadecimal.
    """

    id: str
    station: str
    time: datetime
    verdict: VerdictCode
    score: float | None = None
    threshold: float | None = None
    serial: str = ""
    reason: str | None = None
    milliseconds: float = 0.0
    bundle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """What was measured of one snapshot of one sensor: measures by name with the unit at its end, None where it could not be."""

    id: str
    asset: str
    sensor: str
    time: datetime
    values: Mapping[str, float | None]


def verdict_document(verdict: StationVerdict) -> dict[str, Any]:
    """Build the ``verdict`` object.

    Returns
    -------
    ``type`` (``"verdict"``), ``id, station, time, verdict`` (``"OK", "NG", "RETAKE", "ERROR"`` or ``"NONE"``), ``score, threshold,
    serial, reason, milliseconds, bundle``.
    """
    return {
        "type": "verdict",
        "id": verdict.id,
        "station": verdict.station,
        "time": as_text(verdict.time),
        "verdict": verdict.verdict.name,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "serial": verdict.serial,
        "reason": verdict.reason,
        "milliseconds": verdict.milliseconds,
        "bundle": verdict.bundle,
    }


def indicators_document(indicators: Indicators) -> dict[str, Any]:
    """Build the ``indicators`` object: ``type, id, asset, sensor, time`` and ``values``."""
    return {
        "type": "indicators",
        "id": indicators.id,
        "asset": indicators.asset,
        "sensor": indicators.sensor,
        "time": as_text(indicators.time),
        "values": dict(indicators.values),
    }


def alert_id(alert: Alert) -> str:
    """Name one telling of a case; the case itself is told several times.

    It is made of what was decided, and so is the same when an alert is decided on again after a restart.
    """
    return f"{alert.case.id}/{alert.event.value}/{as_text(alert.time)}"


def verdict_message(site: str, verdict: StationVerdict) -> Message:
    """Put a verdict into a message."""
    return _message(Kind.VERDICT, verdict.id, site, verdict.station, verdict_document(verdict))


def indicators_message(site: str, indicators: Indicators) -> Message:
    """Put indicators into a message."""
    return _message(Kind.INDICATOR, indicators.id, site, indicators.asset, indicators_document(indicators))


def alert_message(site: str, alert: Alert) -> Message:
    """Put an alert into a message; ``id`` is the case's."""
    return _message(Kind.ALERT, alert_id(alert), site, alert.case.asset, alert_document(alert))


def _message(kind: Kind, id_: str, site: str, source: str, document: Mapping[str, Any]) -> Message:
    topic = TOPIC.format(site=safe_name(site), source=safe_name(source), what=f"{kind.value}s")
    return Message(id_, kind, topic, msgspec.json.encode({**document, "event_id": id_}))
