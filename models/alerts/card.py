"""The alert card: what was found, in which part, at which frequency, since when, how sure, how severe, what to do."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from andon.models.alerts.advice import action_code
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, Case, Finding, Observation, Part
from andon.models.messages.catalogue import Catalogue
from andon.models.types.vibration import Fault, Severity

FAULT_CODES: Mapping[str, str] = {
    Fault.NONE: "alert.fault_none",
    Fault.OUTER_RACE: "alert.fault_outer_race",
    Fault.INNER_RACE: "alert.fault_inner_race",
    Fault.ROLLING_ELEMENT: "alert.fault_rolling_element",
    Fault.CAGE: "alert.fault_cage",
    Fault.UNBALANCE: "alert.fault_unbalance",
    Fault.MISALIGNMENT: "alert.fault_misalignment",
    Fault.UNBALANCE_OR_MISALIGNMENT: "alert.fault_unbalance_or_misalignment",
    Fault.LOOSENESS: "alert.fault_looseness",
    Fault.GEAR: "alert.fault_gear",
    Fault.BLADE_PASS: "alert.fault_blade_pass",
    Fault.ELECTRICAL: "alert.fault_electrical",
    Fault.UNKNOWN: "alert.fault_unknown",
}
KIND_CODES: Mapping[str, str] = {
    AlertKind.ANOMALY: "alert.kind_anomaly",
    AlertKind.ZONE: "alert.kind_zone",
    AlertKind.SENSOR: "alert.kind_sensor",
    AlertKind.SILENCE: "alert.kind_silence",
}
SEVERITY_CODES: Mapping[str, str] = {
    Severity.NORMAL: "alert.severity_normal",
    Severity.WATCH: "alert.severity_watch",
    Severity.WARNING: "alert.severity_warning",
    Severity.DANGER: "alert.severity_danger",
    Severity.UNKNOWN: "alert.severity_unknown",
}
PART_CODES: Mapping[str, str] = {
    Part.BEARING: "alert.part_bearing",
    Part.ROTOR: "alert.part_rotor",
    Part.COUPLING: "alert.part_coupling",
    Part.ROTOR_OR_COUPLING: "alert.part_rotor_or_coupling",
    Part.FASTENING: "alert.part_fastening",
    Part.GEARS: "alert.part_gears",
    Part.BLADES: "alert.part_blades",
    Part.MOTOR: "alert.part_motor",
    Part.MACHINE: "alert.part_machine",
    Part.SENSOR: "alert.part_sensor",
}
HEADLINE_CODES: Mapping[str, str] = {
    AlertEvent.RAISED: "alert.raised",
    AlertEvent.REMINDER: "alert.reminder",
    AlertEvent.ESCALATED: "alert.escalated",
    AlertEvent.CLEARED: "alert.cleared",
}
CONTRIBUTIONS_SHOWN = 3
"""The largest alone are read; the document keeps them all."""


def alert_document(alert: Alert, plot: str | None = None) -> dict[str, Any]:
    """Build the ``alert`` object: plain values that JSON holds, times in ISO 8601.

    The numbers are those of the case's leading finding; harmonics, score and contributions are of the observation that
    the alert was given on, and absent where that one is about something else.

    Parameters
    ----------
    plot
        Path or address of the picture that shows it.

    Returns
    -------
    ``type`` (``"alert"``), ``event, id, state, time, asset, sensor, kind, fault, part, place, frequency_hz, order,
    harmonics, since, opened, last_seen, n, p_value, severity, zone, score, threshold, contributions, action`` (a message
    code), ``reminders, findings`` (all of the case, each with ``kind, sensor, fault, severity, since``) and ``plot``.
    """
    case, lead = alert.case, alert.case.lead
    return {
        "type": "alert",
        "event": alert.event.value,
        "id": case.id,
        "state": case.state.value,
        "time": alert.time.isoformat(),
        "asset": case.asset,
        **_finding_document(lead),
        "part": lead.part.value,
        "place": lead.place,
        "frequency_hz": lead.frequency_hz,
        "order": lead.order,
        "p_value": lead.p_value,
        "zone": lead.zone,
        **_case_document(case),
        **_observed_document(_about(lead, alert.observation)),
        "action": action_code(alert.event, lead),
        "plot": plot,
    }


def alert_text(document: Mapping[str, Any], catalogue: Catalogue) -> str:
    """Say an alert in a person's language, a line for each question it answers.

    Parameters
    ----------
    document
        As ``alert_document`` builds it, or the same read back from JSON.
    """
    return "\n".join(_lines(document, catalogue))


def finding_text(finding: Mapping[str, Any], catalogue: Catalogue) -> str:
    """Name what a finding is: its fault where it names one, else what its check found.

    Parameters
    ----------
    finding
        With ``kind`` and ``fault``.
    """
    named = finding["fault"] != Fault.NONE or finding["kind"] not in KIND_CODES
    return catalogue.text(FAULT_CODES[finding["fault"]] if named else KIND_CODES[finding["kind"]])


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "sensor": finding.sensor,
        "fault": finding.fault.value,
        "severity": finding.severity.value,
        "since": finding.since.isoformat(),
    }


def _case_document(case: Case) -> dict[str, Any]:
    return {
        "since": case.since.isoformat(),
        "opened": case.opened.isoformat(),
        "last_seen": case.last_seen.isoformat(),
        "n": case.n,
        "reminders": case.reminders,
        "findings": [_finding_document(finding) for finding in case.findings],
    }


def _observed_document(observation: Observation | None) -> dict[str, Any]:
    if observation is None:
        return {"harmonics": [], "score": None, "threshold": None, "contributions": {}}
    return {
        "harmonics": sorted({line.harmonic for line in observation.evidence}),
        "score": observation.score,
        "threshold": observation.threshold,
        "contributions": dict(observation.contributions),
    }


def _about(lead: Finding, observation: Observation | None) -> Observation | None:
    """The observation, if it shows what the case is about."""
    if observation is None or not observation.abnormal:
        return None
    same = (observation.sensor, observation.kind, observation.fault) == (lead.sensor, lead.kind, lead.fault)
    return observation if same else None


def _lines(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    severity = catalogue.text(SEVERITY_CODES[document["severity"]])
    what = finding_text(document, catalogue)
    yield catalogue.text(HEADLINE_CODES[document["event"]], asset=document["asset"], what=what, severity=severity)
    yield _part_line(document, catalogue)
    for line in (_frequency_line, _harmonics_line):
        yield from line(document, catalogue)
    yield catalogue.text("alert.since", since=_moment(document["since"]), last=_moment(document["last_seen"]))
    yield _sureness_line(document, catalogue)
    yield _severity_line(document, catalogue, severity)
    for line in (_score_line, _contributions_line, _findings_line):
        yield from line(document, catalogue)
    yield catalogue.text("alert.action", action=catalogue.text(document["action"]))
    if document["plot"]:
        yield catalogue.text("alert.plot", path=document["plot"])


def _part_line(document: Mapping[str, Any], catalogue: Catalogue) -> str:
    part = catalogue.text(PART_CODES[document["part"]])
    if document["place"]:
        return catalogue.text("alert.part_at", part=part, place=document["place"], sensor=_sensor(document, catalogue))
    return catalogue.text("alert.part", part=part, sensor=_sensor(document, catalogue))


def _frequency_line(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    if document["frequency_hz"] is None:
        return
    hertz = _number(document["frequency_hz"])
    if document["order"] is None:
        yield catalogue.text("alert.frequency", hertz=hertz)
    else:
        yield catalogue.text("alert.frequency_order", hertz=hertz, order=_number(document["order"]))


def _harmonics_line(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    if document["harmonics"]:
        yield catalogue.text("alert.harmonics", numbers=_listed(document["harmonics"], str, catalogue))


def _sureness_line(document: Mapping[str, Any], catalogue: Catalogue) -> str:
    p_value = document["p_value"]
    if document["kind"] == AlertKind.SILENCE:
        return catalogue.text("alert.sure_silence")
    if p_value is None:
        return catalogue.text("alert.sure_count", n=document["n"])
    return catalogue.text("alert.sure", p=_number(p_value), percent=_number(100 * p_value), n=document["n"])


def _severity_line(document: Mapping[str, Any], catalogue: Catalogue, severity: str) -> str:
    if document["zone"]:
        return catalogue.text("alert.severity_zone", severity=severity, zone=document["zone"])
    return catalogue.text("alert.severity", severity=severity)


def _score_line(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    score, threshold = document["score"], document["threshold"]
    if score is not None and threshold is not None:
        yield catalogue.text("alert.score", score=_number(score), threshold=_number(threshold))


def _contributions_line(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    largest = sorted(document["contributions"].items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    if largest:
        shown = _listed(largest[:CONTRIBUTIONS_SHOWN], lambda pair: f"{pair[0]} {_number(pair[1])}", catalogue)
        yield catalogue.text("alert.contributions", names=shown)


def _findings_line(document: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    lead = (document["kind"], document["sensor"])
    others = [each for each in document["findings"] if (each["kind"], each["sensor"]) != lead]
    if others:
        yield catalogue.text("alert.further", names=_listed(others, lambda each: _sensed(each, catalogue), catalogue))


def _sensed(finding: Mapping[str, Any], catalogue: Catalogue) -> str:
    return catalogue.text("alert.sensed", what=finding_text(finding, catalogue), sensor=_sensor(finding, catalogue))


def _sensor(named: Mapping[str, Any], catalogue: Catalogue) -> str:
    sensor: str = named["sensor"]
    return sensor or catalogue.text("alert.unnamed")


def _listed(items: list[Any], name: Callable[[Any], str], catalogue: Catalogue) -> str:
    return catalogue.text("alert.separator").join(name(item) for item in items)


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"


def _number(value: float) -> str:
    """Four significant digits, the noise of the last ones left out.

    >>> _number(107.3629), _number(0.0005)
    ('107.4', '0.0005')
    """
    return f"{value:.4g}"
