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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTold:
    """One telling of a case, as it is kept.

    Parameters
    ----------
    id
        Of the telling, as ``alert_id`` makes it.
    document
        As ``alert_document`` builds it.
    """

    id: str
    asset: str
    time: datetime
    document: Mapping[str, Any]


Said = StationVerdict | Indicators | AlertTold
"""What a box tells others."""


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
    return _telling(alert.case.id, alert.event.value, alert.time)


def alert_told(document: Mapping[str, Any]) -> AlertTold:
    """Read an alert's document back."""
    time = datetime.fromisoformat(document["time"])
    name = _telling(document["id"], document["event"], time)
    return AlertTold(id=name, asset=document["asset"], time=time, document=document)


def message_of(site: str, said: Said) -> Message:
    """Put whatever is told into a message."""
    match said:
        case StationVerdict():
            return verdict_message(site, said)
        case Indicators():
            return indicators_message(site, said)
        case AlertTold():
            return _message(Kind.ALERT, said.id, site, said.asset, said.document)


def verdict_message(site: str, verdict: StationVerdict) -> Message:
    """Put a verdict into a message."""
    return _message(Kind.VERDICT, verdict.id, site, verdict.station, verdict_document(verdict))


def indicators_message(site: str, indicators: Indicators) -> Message:
    """Put indicators into a message."""
    return _message(Kind.INDICATOR, indicators.id, site, indicators.asset, indicators_document(indicators))


def alert_message(site: str, alert: Alert) -> Message:
    """Put an alert into a message; ``id`` is the case's."""
    return message_of(site, alert_told(alert_document(alert)))


def _telling(case: str, event: str, time: datetime) -> str:
    return f"{case}/{event}/{as_text(time)}"


def _message(kind: Kind, id_: str, site: str, source: str, document: Mapping[str, Any]) -> Message:
    topic = TOPIC.format(site=safe_name(site), source=safe_name(source), what=f"{kind.value}s")
    return Message(id_, kind, topic, msgspec.json.encode({**document, "event_id": id_}))
