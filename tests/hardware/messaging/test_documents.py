"""What is said of parts and machines, as documents and as metrics."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from andon.hardware.messaging.broker import BrokerSettingError, BrokerSettings
from andon.hardware.messaging.documents import Indicators, alert_id, alert_message
from andon.hardware.messaging.metrics import ALERT, INSPECTION, alert_metrics, indicator_metrics, unknown
from andon.hardware.messaging.outbox import Kind
from andon.hardware.messaging.sparkplug_payload import Payload, decode, encode, fits
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, Case, Finding
from andon.models.types.vibration import Fault, Severity

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
FINDING = Finding(AlertKind.FAULT, "DE", Fault.OUTER_RACE, Severity.WARNING, NOW - timedelta(hours=1))


def alert(event: AlertEvent = AlertEvent.RAISED, time: datetime = NOW) -> Alert:
    return Alert(event, time, Case("c-1", "P-101/a", (FINDING,), NOW, NOW, NOW, NOW, 3))


def test_each_telling_of_a_case_has_an_id_of_its_own_that_a_restart_does_not_change() -> None:
    later = NOW + timedelta(days=1)
    told = [alert(), alert(AlertEvent.REMINDER, later), alert(AlertEvent.REMINDER, later + timedelta(days=1)), alert()]
    assert len({alert_id(each) for each in told}) == 3
    assert alert_id(told[0]) == alert_id(told[3]) == "c-1/raised/2026-01-02T12:00:00.000Z"


def test_an_alert_is_told_where_its_asset_is_and_has_the_id_of_its_telling() -> None:
    message = alert_message("plant", alert())
    assert (message.kind, message.topic, message.id) == (Kind.ALERT, "andon/plant/P-101_a/alerts", alert_id(alert()))
    assert json.loads(message.body) == {**alert_document(alert()), "event_id": alert_id(alert())}


def test_an_alert_s_metrics_say_what_it_is_and_hold_the_whole_document() -> None:
    metrics = {metric.name: metric for metric in alert_metrics(alert())}
    assert [(name, metric.datatype) for name, metric in metrics.items()] == list(ALERT)
    assert {metric.time for metric in metrics.values()} == {NOW}
    assert metrics["Alert/Since"].value == FINDING.since
    assert (metrics["Alert/Fault"].value, metrics["Alert/Severity"].value) == ("outer_race", "warning")
    document = metrics["Alert/Document"].value
    assert isinstance(document, str)
    assert json.loads(document) == alert_document(alert())
    assert decode(encode(Payload(NOW, tuple(metrics.values())))).metrics == tuple(metrics.values())


def test_each_indicator_is_a_metric_of_its_sensor() -> None:
    measured = Indicators(id="i", asset="P-101", sensor="DE", time=NOW, values={"rms_mm_s": 1.5, "kurtosis": None})
    assert [(metric.name, metric.value, metric.time) for metric in indicator_metrics(measured)] == [
        ("Signal/DE/rms_mm_s", 1.5, NOW),
        ("Signal/DE/kurtosis", None, NOW),
    ]


def test_what_is_not_known_yet_is_null_of_its_type() -> None:
    metrics = unknown(INSPECTION)
    assert [(metric.name, metric.datatype) for metric in metrics] == list(INSPECTION)
    assert all(metric.value is None and metric.datatype and fits(metric.datatype, None) for metric in metrics)


@pytest.mark.parametrize(("host", "port"), [("", 1883), ("broker", 0), ("broker", 65_536)])
def test_an_address_that_cannot_be_is_named(host: str, port: int) -> None:
    with pytest.raises(BrokerSettingError) as refused:
        BrokerSettings(host, port, "station")
    assert refused.value.code == "messaging.address"
