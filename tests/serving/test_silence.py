"""A sensor that says nothing any more is told of once, by its own rhythm."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from tests.motors import ASSETS
from tests.serving.clients import at_this_machine
from tests.serving.conftest import OPTIONS
from tests.serving.signal_requests import CALM, said_of, send, send_series

from andon.datasets.condition.silence import look_for_silence
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store
from andon.models.alerts.case import AlertEvent, AlertKind, AlertPolicy
from andon.serving.api.app import create_app
from andon.serving.engine.repository import ModelRepository

POLICY = AlertPolicy(silence_s=60.0)


def sent(repository: ModelRepository, store: Store, count: int, gap: timedelta) -> datetime:
    """Send signals, as if one had come every ``gap``; return when the last one came."""
    with at_this_machine(create_app(repository, store, options=OPTIONS)) as client:
        send_series(client, CALM[:count])
    with store.database.writing() as connection:
        ids = list(connection.scalars(text("SELECT id FROM signals WHERE sensor <> 'by hand' ORDER BY time DESC")))
        last = connection.scalar(text("SELECT max(received) FROM signals"))
        for turn, each in enumerate(ids):
            moved = {"gap": round(turn * gap.total_seconds() * 1e6), "id": each, "last": last}
            connection.execute(text("UPDATE signals SET received = :last - :gap WHERE id = :id"), moved)
    return datetime.now(UTC)


@pytest.mark.parametrize(("quiet_s", "expected"), [(59, 0), (80, 0), (95, 1), (10_000, 1)])
def test_it_is_told_once_it_lasts_longer_than_usual(
    repository: ModelRepository, kept: Store, quiet_s: float, expected: int
) -> None:
    """A signal every 30 s: three gaps are 90 s."""
    last = sent(repository, kept, 6, timedelta(seconds=30))
    conditions, now = Conditions(kept.database), last + timedelta(seconds=quiet_s)
    alerts = look_for_silence(conditions, POLICY, now)
    assert [(each.case.kind, each.case.asset) for each in alerts] == [(AlertKind.SILENCE, ASSETS[0])] * expected
    if expected:
        assert look_for_silence(conditions, POLICY, now + timedelta(seconds=30)) == []


def test_a_slow_sensor_is_not_silent(repository: ModelRepository, kept: Store) -> None:
    last = sent(repository, kept, 6, timedelta(days=1))
    conditions = Conditions(kept.database)
    assert not look_for_silence(conditions, POLICY, last + timedelta(days=2.9))
    assert look_for_silence(conditions, POLICY, last + timedelta(days=3.1))


def test_what_somebody_sends_by_hand_has_no_rhythm(repository: ModelRepository, kept: Store) -> None:
    last = sent(repository, kept, 3, timedelta(seconds=1))
    assert not look_for_silence(Conditions(kept.database), POLICY, last + timedelta(days=100))


def test_one_signal_by_hand_is_not_missed_beside_a_sensor_with_a_rhythm(
    repository: ModelRepository, kept: Store
) -> None:
    """The other sensor goes on: nothing of the machine is silent but what somebody sent once."""
    with at_this_machine(create_app(repository, kept, OPTIONS)) as client:
        send(client, CALM[0], said_of(CALM[0], asset=ASSETS[0], sensor="by hand"))
    last = sent(repository, kept, 6, timedelta(seconds=30))
    conditions = Conditions(kept.database)
    assert not look_for_silence(conditions, POLICY, last + timedelta(seconds=80))
    (alert,) = look_for_silence(conditions, POLICY, last + timedelta(seconds=100))
    assert "by hand" not in {finding.sensor for finding in alert.case.findings}


def test_it_ends_when_the_sensor_speaks_again(repository: ModelRepository, kept: Store) -> None:
    last = sent(repository, kept, 6, timedelta(seconds=30))
    (alert,) = look_for_silence(Conditions(kept.database), POLICY, last + timedelta(hours=1))
    assert alert.event is AlertEvent.RAISED
    with at_this_machine(create_app(repository, kept, options=OPTIONS)) as client:
        answers = send_series(client, CALM, start=datetime.now(UTC))
        events = [each["event"] for answer in answers for each in answer["alerts"]]
        assert events == ["cleared"]
        assert client.get(f"/api/v1/alerts/{alert.case.id}").json()["state"] == "resolved"
