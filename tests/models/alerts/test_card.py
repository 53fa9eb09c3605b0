"""An alert answers what, where, at which frequency, since when, how sure, how severe and what to do; in both languages."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from andon.models.alerts.card import alert_document, alert_text
from andon.models.alerts.case import (
    PART_OF_FAULT,
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AssetState,
    Case,
    Finding,
    Observation,
)
from andon.models.alerts.rules import decide
from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.types.vibration import Evidence, Fault, Severity

START = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
SEEN = Observation(
    asset="pump-7",
    sensor="DE-H",
    time=START,
    valid=True,
    abnormal=True,
    kind=AlertKind.FAULT,
    fault=Fault.OUTER_RACE,
    severity=Severity.WATCH,
    p_value=0.004,
    frequency_hz=107.3629,
    order=3.5848,
    score=12.5,
    threshold=8.0,
    place="drive end",
    zone="B",
    contributions={"crest": 0.1, "kurtosis": 0.55, "velocity_mm_s": -0.2, "rms_g": 0.15},
    evidence=(Evidence(107.4, 3.58, 1, 14.0), Evidence(322.1, 10.75, 3, 9.0), Evidence(214.7, 7.17, 2, 11.0)),
)


def raised(observation: Observation = SEEN) -> Alert:
    policy = AlertPolicy(k=1, n=1, min_duration_s=0.0, clear_m=1)
    return decide(policy, AssetState(observation.asset), observation, lambda: "0197-case")[1][0]


def of(finding: Finding, event: AlertEvent = AlertEvent.RAISED, *more: Finding) -> Alert:
    case = Case("id", "fan-2", (finding, *more), START, START, START, START + timedelta(hours=2), 4)
    return Alert(event, START, case)


def test_the_document_holds_what_was_found() -> None:
    document = alert_document(raised(), plot="plots/pump-7.png")
    assert json.loads(json.dumps(document)) == document
    assert document == {
        "type": "alert",
        "event": "raised",
        "id": "0197-case",
        "state": "open",
        "time": "2026-03-01T08:30:00+00:00",
        "asset": "pump-7",
        "sensor": "DE-H",
        "kind": "fault",
        "part": "bearing",
        "place": "drive end",
        "fault": "outer_race",
        "frequency_hz": 107.3629,
        "order": 3.5848,
        "harmonics": [1, 2, 3],
        "since": "2026-03-01T08:30:00+00:00",
        "opened": "2026-03-01T08:30:00+00:00",
        "last_seen": "2026-03-01T08:30:00+00:00",
        "n": 1,
        "reminders": 0,
        "p_value": 0.004,
        "severity": "watch",
        "zone": "B",
        "score": 12.5,
        "threshold": 8.0,
        "contributions": {"crest": 0.1, "kurtosis": 0.55, "velocity_mm_s": -0.2, "rms_g": 0.15},
        "action": "alert.bearing_watch",
        "findings": [
            {
                "kind": "fault",
                "sensor": "DE-H",
                "fault": "outer_race",
                "severity": "watch",
                "since": "2026-03-01T08:30:00+00:00",
            }
        ],
        "plot": "plots/pump-7.png",
    }


def test_numbers_of_something_else_are_not_taken_for_the_cases() -> None:
    alert = raised()
    other = replace(alert, observation=replace(SEEN, sensor="NDE"))
    assert alert_document(other)["harmonics"] == []
    assert alert_document(other)["contributions"] == {}
    assert alert_document(other)["frequency_hz"] == 107.3629, "this is the case's own"


def test_the_text_answers_every_question_in_english() -> None:
    text = alert_text(alert_document(raised(), plot="plots/pump-7.png"), catalogue("en"))
    assert text.splitlines() == [
        "ALERT pump-7: bearing damage, outer race (watch)",
        "part: rolling bearing at drive end, seen by sensor DE-H",
        "frequency: 107.4 Hz, 3.585 times the speed of the shaft",
        "harmonics seen: 1, 2, 3",
        "since: 2026-03-01 08:30 UTC, last seen 2026-03-01 08:30 UTC",
        "how sure: p = 0.004: a machine without this fault looks like this in 0.4 % of snapshots; 1 abnormal snapshots so far",
        "severity: watch, ISO zone B",
        "score: 12.5, limit 8",
        "driven by: kurtosis 0.55, velocity_mm_s -0.2, rms_g 0.15",
        "what to do: look again in two weeks; listen to the bearing; check its lubrication and temperature",
        "plot: plots/pump-7.png",
    ]


def test_the_text_answers_every_question_in_chinese() -> None:
    text = alert_text(alert_document(raised()), catalogue("zh_CN"))
    lines = text.splitlines()
    assert lines[0] == "报警 pump-7：轴承外圈损伤（关注）"
    assert lines[2] == "频率：107.4 Hz，为转频的 3.585 倍"
    assert lines[-1] == "处理建议：两周后复测；听诊轴承；检查润滑和温度"


def test_what_is_not_known_takes_no_line() -> None:
    bare = replace(
        SEEN,
        p_value=None,
        frequency_hz=None,
        order=None,
        score=None,
        zone=None,
        place="",
        contributions={},
        evidence=(),
    )
    lines = alert_text(alert_document(raised(bare)), catalogue("en")).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ALERT pump-7",
        "part",
        "since",
        "how sure",
        "severity",
        "what to do",
    ]
    assert "no p-value" in lines[3]


def test_a_frequency_without_speed_has_no_order() -> None:
    text = alert_text(alert_document(raised(replace(SEEN, order=None))), catalogue("en"))
    assert "frequency: 107.4 Hz\n" in text


def test_further_findings_are_named_with_their_sensors() -> None:
    lead = Finding(AlertKind.FAULT, "DE", Fault.GEAR, Severity.WARNING, START)
    zone = Finding(AlertKind.ZONE, "NDE", Fault.NONE, Severity.WATCH, START)
    text = alert_text(alert_document(of(lead, AlertEvent.REMINDER, zone)), catalogue("en"))
    assert text.startswith("STILL OPEN fan-2: gear fault (warning)")
    assert "also found: vibration above the limit for its class (sensor NDE)" in text


def test_every_fault_has_a_part() -> None:
    assert set(PART_OF_FAULT) == set(Fault)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_can_be_said(language: str) -> None:
    """Every event, kind, fault and severity; no two faults have the same name, and danger asks for more than watch."""
    texts = catalogue(language)
    headlines: dict[str, set[str]] = {}
    for event, kind, fault, severity in product(AlertEvent, AlertKind, Fault, Severity):
        alert = of(Finding(kind, "DE", fault, severity, START), event)
        text = alert_text(alert_document(alert), texts)
        assert len(text.splitlines()) >= 5
        assert "{" not in text
        assert (re.search(r"[一-鿿]", text) is not None) == (language == "zh_CN")
        headlines.setdefault(text.splitlines()[0], set()).add(f"{event}{severity}")
    assert all(len(whose) == 1 for whose in headlines.values())
    assert len(
        {
            alert_text(
                alert_document(of(Finding(AlertKind.FAULT, "DE", fault, Severity.WATCH, START))), texts
            ).splitlines()[0]
            for fault in Fault
        }
    ) == len(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_each_severity_asks_for_something_else(fault: Fault) -> None:
    actions = [
        alert_document(of(Finding(AlertKind.FAULT, "DE", fault, severity, START)))["action"] for severity in Severity
    ]
    assert len(set(actions)) == len(Severity)


def test_silence_and_sensors_have_their_own_advice() -> None:
    silent = alert_document(of(Finding(AlertKind.SILENCE, "DE", Fault.NONE, Severity.WATCH, START)))
    assert (silent["action"], silent["part"]) == ("alert.act_silence", "sensor")
    doubtful = alert_document(of(Finding(AlertKind.SENSOR, "DE", Fault.NONE, Severity.WATCH, START)))
    assert doubtful["action"] == "alert.act_sensor"
    assert (
        alert_document(of(Finding(AlertKind.FAULT, "DE", Fault.CAGE, Severity.WATCH, START), AlertEvent.CLEARED))[
            "action"
        ]
        == "alert.act_cleared"
    )
