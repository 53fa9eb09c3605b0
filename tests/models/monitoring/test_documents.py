"""The ``window`` object of a snapshot."""

import json
from dataclasses import replace

import pytest
from tests.motors import RATE_HZ, START

from andon.models.alerts.case import AlertKind, Observation
from andon.models.monitoring.documents import window_document
from andon.models.stream.windows import Head, WindowResult
from andon.models.types.vibration import Fault, Severity, Unit

HEAD = Head("泵 1", "drive end", START, RATE_HZ, Unit.G)
KEYS = [
    *("type", "asset", "sensor", "time", "sensor_ok", "judged", "anomalous", "score", "threshold", "contributions"),
    *("zone", "fault", "p_value", "severity"),
]


def observation(kind: AlertKind, **said: object) -> Observation:
    plain = Observation(HEAD.asset, HEAD.sensor, HEAD.time, valid=True, abnormal=False, kind=kind)
    return replace(plain, **said)  # type: ignore[arg-type]


SENSOR = observation(AlertKind.SENSOR)
FAULT = observation(
    AlertKind.FAULT, abnormal=True, fault=Fault.OUTER_RACE, p_value=0.0003, severity=Severity.WARNING, zone="B"
)
HEALTH = observation(AlertKind.ANOMALY, abnormal=True, score=9.5, threshold=4.25, contributions={"crest": 90.25})
UNJUDGED = observation(AlertKind.ANOMALY, valid=False)
ZONE = observation(AlertKind.ZONE, zone="C", abnormal=True, severity=Severity.WARNING)


def document(*observations: Observation) -> dict[str, object]:
    built = window_document(WindowResult(HEAD, observations))
    assert list(built) == KEYS
    assert json.loads(json.dumps(built, allow_nan=False)) == built
    return built


def test_it_says_what_all_checks_say() -> None:
    assert document(SENSOR, FAULT, ZONE, HEALTH) == {
        "type": "window",
        "asset": "泵 1",
        "sensor": "drive end",
        "time": "2026-03-01T00:00:00+00:00",
        "sensor_ok": True,
        "judged": True,
        "anomalous": True,
        "score": 9.5,
        "threshold": 4.25,
        "contributions": {"crest": 90.25},
        "zone": "C",
        "fault": "outer_race",
        "p_value": 0.0003,
        "severity": "warning",
    }


@pytest.mark.parametrize("observations", [(SENSOR, FAULT, UNJUDGED), (SENSOR, FAULT)])
def test_health_that_was_not_judged_is_null(observations: tuple[Observation, ...]) -> None:
    built = document(*observations)
    assert (built["judged"], built["anomalous"], built["score"], built["threshold"]) == (False, None, None, None)
    assert (built["fault"], built["zone"], built["contributions"]) == ("outer_race", None, {})


def test_a_sensor_that_cannot_be_believed_leaves_all_else_null() -> None:
    built = document(observation(AlertKind.SENSOR, abnormal=True, severity=Severity.WATCH))
    assert built["sensor_ok"] is False
    assert {built[name] for name in ("anomalous", "score", "threshold", "zone", "fault", "p_value", "severity")} == {
        None
    }
