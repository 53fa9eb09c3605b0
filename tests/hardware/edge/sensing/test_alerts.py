"""Alerts are told from what was kept, and silence is counted while somebody listens."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.hardware.edge.sensing.boxes import Ears
from tests.motors import ASSETS, motor_signal

from andon.datasets.condition.desk import SignalDesk
from andon.datasets.condition.records import describe
from andon.datasets.condition.silence import listen_anew, look_for_silence
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.hardware.edge.sensing.alerts import AlertTeller
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AlertPolicy, Case, Finding
from andon.models.types.errors import InputError, StorageFullError
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Fault, Machine, Severity

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, StoreOptions("line-1", reserve_bytes=0))
    with opened.database:
        yield opened


def alert() -> Alert:
    finding = Finding(AlertKind.FAULT, "DE", Fault.OUTER_RACE, Severity.WARNING, NOW)
    return Alert(AlertEvent.RAISED, NOW, Case(new_id(), "P-1", (finding,), NOW, NOW, NOW, NOW, 3))


def keep(conditions: Conditions, given: Alert) -> None:
    with conditions.deciding(given.case.asset) as decision:
        decision.keep_alerts([given], NOW)


def test_an_alert_that_was_kept_and_not_told_is_told_at_the_next_start(store: Store) -> None:
    ears, given = Ears(), alert()
    keep(Conditions(store.database, AlertTeller(store.database, [])), alert())  # nobody was to be told
    unlucky = AlertTeller(store.database, [ears])
    ears.refusal = StorageFullError("store.full", "outbox", reason="disk")
    keep(Conditions(store.database, unlucky), given)
    assert ears.alerts == []
    keep(Conditions(store.database, unlucky), replace(given, event=AlertEvent.ESCALATED))
    ears.refusal = None
    AlertTeller(store.database, [ears]).tell_waiting()
    assert [(each.asset, each.document["id"]) for each in ears.alerts] == [("P-1", given.case.id)] * 2
    assert [each.document["event"] for each in ears.alerts] == ["raised", "escalated"]
    AlertTeller(store.database, [ears]).tell_waiting()
    assert len(ears.alerts) == 2


def test_whoever_can_never_take_an_alert_keeps_it_and_what_follows_from_nobody(store: Store) -> None:
    ears, deaf = Ears(), Ears(refusal=InputError("messaging.name", "device", found="Pump #2"))
    teller, given = AlertTeller(store.database, [deaf, ears]), alert()
    for event in (AlertEvent.RAISED, AlertEvent.CLEARED):
        keep(Conditions(store.database, teller), replace(given, event=event))
    teller.tell_waiting()
    assert [each.document["event"] for each in ears.alerts] == ["raised", "cleared"]


def test_an_alert_that_was_not_kept_is_not_told(store: Store) -> None:
    ears = Ears()
    conditions = Conditions(store.database, AlertTeller(store.database, [ears]))
    with pytest.raises(RuntimeError), conditions.deciding("P-1") as decision:
        decision.keep_alerts([alert()], NOW)
        raise RuntimeError
    assert ears.alerts == []


def test_silence_is_told_and_a_box_that_was_off_heard_nobody_fall_silent(store: Store) -> None:
    ears = Ears()
    conditions = Conditions(store.database, AlertTeller(store.database, [ears]))
    desk = SignalDesk(Machine, conditions, AlertPolicy())
    began = datetime.now(UTC) - 10 * DAY
    for turn in range(4):
        signal = motor_signal(turn)
        received = began + timedelta(hours=turn)
        desk.assess(
            signal,
            Machine(),
            None,
            lambda found, at=received, of=signal: replace(describe(of, None, "0", found), received=at),  # type: ignore[misc]
        )
    later = began + 3 * DAY
    listen_anew(conditions, [ASSETS[0]], later)
    assert look_for_silence(conditions, AlertPolicy(), later + timedelta(minutes=31)) == []
    look_for_silence(conditions, AlertPolicy(), later + DAY)
    assert [(each.document["event"], each.document["kind"]) for each in ears.alerts] == [("raised", "silence")]
