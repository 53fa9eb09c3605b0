"""What is to be told is kept with the alert, taken out once, put back where it failed, and never lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from andon.datasets.store.conditions import Conditions
from andon.datasets.store.database import Database
from andon.datasets.store.outbox import (
    Failure,
    Outbox,
    add,
    add_alerts,
    add_escalations,
    forget_settled,
    unacknowledged,
)
from andon.datasets.store.schema import assets, outbox
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, AssetState, Case, CaseState, Finding
from andon.models.alerts.notifying import Delivery, Level, Route
from andon.models.types.identifiers import first_id, new_id
from andon.models.types.vibration import Fault, Severity

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LEASE, SECOND = timedelta(seconds=60), timedelta(seconds=1)
EXPIRY = timedelta(hours=1)
CASE, OTHER = new_id(), new_id()


def delivery(number: int, alert: str = CASE, channel: str = "mail", after_s: float = 0, held: bool = False) -> Delivery:
    identifier = first_id(NOW + timedelta(seconds=number))
    due = NOW + timedelta(seconds=after_s)
    return Delivery(identifier, channel, "en", alert, due, held, {"number": number, "asset": "泵 7"})


def put(database: Database, *deliveries: Delivery, now: datetime = NOW) -> None:
    with database.writing() as connection:
        add(connection, deliveries, now, EXPIRY)


def numbers(taken: Sequence[object]) -> list[int]:
    return [each.document["number"] for each in taken]  # type: ignore[attr-defined]


@pytest.fixture
def box(database: Database) -> Outbox:
    return Outbox(database, LEASE)


def test_what_is_due_is_taken_out_once(database: Database, box: Outbox) -> None:
    put(database, delivery(1), delivery(2, OTHER), delivery(3, new_id(), after_s=10), delivery(4, channel="mqtt"))
    (first,) = box.due("mail", NOW, 1)
    assert (first.id, first.alert, first.language, first.attempts) == (delivery(1).id, CASE, "en", 0)
    assert first.document == {"number": 1, "asset": "泵 7"}
    assert numbers(box.due("mail", NOW, 10)) == [2]
    assert box.due("mail", NOW, 10) == ()
    assert numbers(box.due("mqtt", NOW, 10)) == [4]


def test_what_is_sent_is_not_taken_again(database: Database, box: Outbox) -> None:
    put(database, delivery(1))
    box.due("mail", NOW, 1)
    box.sent([delivery(1).id], NOW)
    assert box.due("mail", NOW + 2 * LEASE, 1) == ()
    assert box.counts() == {("mail", "sent"): 1}


def test_the_same_is_added_once(database: Database, box: Outbox) -> None:
    put(database, delivery(1))
    box.due("mail", NOW, 1)
    box.sent([delivery(1).id], NOW)
    put(database, delivery(1), delivery(2))
    assert numbers(box.due("mail", NOW, 9)) == [2]


def test_what_a_process_took_that_was_killed_is_taken_again(database: Database, box: Outbox) -> None:
    put(database, delivery(1))
    box.due("mail", NOW, 1)
    assert box.due("mail", NOW + LEASE - SECOND, 1) == ()
    (again,) = box.due("mail", NOW + LEASE, 1)
    assert (again.id, again.attempts) == (delivery(1).id, 1)


def test_a_lease_from_before_the_clock_was_set_back_is_none(database: Database, box: Outbox) -> None:
    put(database, delivery(1, after_s=-7200))
    box.due("mail", NOW, 1)
    assert box.due("mail", NOW - SECOND, 1) == (), "another process may have read the clock a little earlier"
    assert box.due("mail", NOW - LEASE, 1) == ()
    assert numbers(box.due("mail", NOW - timedelta(hours=1), 1)) == [1]


def test_what_failed_is_tried_again_when_it_is_due(database: Database, box: Outbox) -> None:
    put(database, delivery(1))
    box.due("mail", NOW, 1)
    assert box.failed([delivery(1).id], Failure("HTTP 500", NOW + 5 * SECOND, False), NOW) == ()
    assert box.next_due("mail") == NOW + 5 * SECOND
    assert box.due("mail", NOW + 4 * SECOND, 1) == ()
    (again,) = box.due("mail", NOW + 5 * SECOND, 1)
    assert (again.attempts, again.refusals) == (1, 0)
    box.failed([again.id], Failure("HTTP 400", NOW + 9 * SECOND, True), NOW)
    assert box.due("mail", NOW + 9 * SECOND, 1)[0].refusals == 1


def test_what_has_expired_is_given_up_with_its_reason(database: Database, box: Outbox) -> None:
    put(database, delivery(1), delivery(2, OTHER))
    box.due("mail", NOW, 2)
    late = Failure("x" * 1000, NOW + EXPIRY + SECOND, False)
    assert box.failed([delivery(1).id], late, NOW) == (delivery(1).id,)
    box.give_up([delivery(2).id], "HTTP 410", NOW)
    assert box.next_due("mail") is None
    assert box.counts() == {("mail", "given_up"): 2}
    with database.reading() as connection:
        reasons = connection.scalars(select(outbox.c.failure).order_by(outbox.c.id)).all()
    assert reasons == ["x" * 500, "HTTP 410"]


def test_what_another_process_sent_meanwhile_stays_sent(database: Database, box: Outbox) -> None:
    put(database, delivery(1))
    box.due("mail", NOW, 1)
    box.sent([delivery(1).id], NOW)
    box.failed([delivery(1).id], Failure("late", NOW, False), NOW)
    box.give_up([delivery(1).id], "late", NOW)
    assert box.counts() == {("mail", "sent"): 1}


def test_an_alert_is_told_in_order(database: Database, box: Outbox) -> None:
    put(database, delivery(2), now=NOW)
    put(database, delivery(1), delivery(3, OTHER), now=NOW + SECOND)
    later = NOW + SECOND
    assert numbers(box.due("mail", later, 9)) == [2, 3]
    assert box.due("mail", later, 9) == (), "the second of an alert waits for the first"
    box.failed([delivery(2).id], Failure("down", later + 9 * SECOND, False), later)
    assert box.due("mail", later, 9) == ()
    assert numbers(box.due("mail", later + 9 * SECOND, 9)) == [2]
    box.sent([delivery(2).id], later)
    assert numbers(box.due("mail", later, 9)) == [1]


def test_one_that_was_refused_alone_lets_others_by(database: Database, box: Outbox) -> None:
    put(database, delivery(1), delivery(2))
    box.due("mail", NOW, 9)
    box.failed([delivery(1).id], Failure("HTTP 400", NOW + 9 * SECOND, True), NOW)
    assert numbers(box.due("mail", NOW, 9)) == [2]


def test_one_that_fails_again_and_again_does_not_come_first_for_ever(database: Database, box: Outbox) -> None:
    put(database, delivery(1), delivery(2, OTHER))
    assert numbers(box.due("mail", NOW, 1)) == [1]
    box.failed([delivery(1).id], Failure("down", NOW + SECOND, False), NOW)
    assert numbers(box.due("mail", NOW + SECOND, 1)) == [2]


def test_what_is_held_is_taken_together_and_holds_up_nothing(database: Database, box: Outbox) -> None:
    put(database, delivery(1, after_s=60, held=True), delivery(2, OTHER, after_s=60, held=True), delivery(3))
    assert numbers(box.due("mail", NOW, 9)) == [3]
    assert box.held("mail", NOW, 9) == ()
    assert numbers(box.held("mail", NOW + LEASE, 9)) == [1, 2]
    assert box.due("mail", NOW + LEASE, 9)[0].id == delivery(3).id


def test_only_what_no_channel_tries_any_more_is_abandoned(database: Database, box: Outbox) -> None:
    put(database, delivery(1), delivery(2, channel="gone"))
    assert box.abandon(["mail"], NOW + EXPIRY) == 0
    assert box.abandon(["mail"], NOW + EXPIRY + SECOND) == 1
    assert box.counts() == {("mail", "waiting"): 1, ("gone", "given_up"): 1}


def test_several_takers_never_take_the_same(database: Database) -> None:
    put(database, *(delivery(number, new_id()) for number in range(60)))
    taken: list[str] = []
    start = Barrier(4)

    def take() -> None:
        own = Outbox(database, LEASE)
        start.wait()
        while some := own.due("mail", NOW, 3):
            taken.extend(each.id for each in some)

    takers = [Thread(target=take) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    # A taker ends where others hold all that is left at that moment; what it leaves is there for the next.
    taken.extend(each.id for each in Outbox(database, LEASE).due("mail", NOW, 99))
    assert sorted(taken) == [delivery(number).id for number in range(60)]


ROUTE = Route(("mail",), "en", levels=(Level(1800.0, ("chief",), "zh_CN"),))
THEIRS = replace(ROUTE, channels=("acme",), customers=frozenset({"ACME"}), levels=())


def alert_of(case: str, event: AlertEvent = AlertEvent.RAISED, asset: str = "P-101") -> Alert:
    finding = Finding(AlertKind.FAULT, "DE", Fault.OUTER_RACE, Severity.WARNING, NOW)
    return Alert(event, NOW, Case(case, asset, (finding,), NOW, NOW, NOW, NOW, 3))


def keep(database: Database, alert: Alert, fails: bool = False) -> None:
    with Conditions(database).deciding(alert.case.asset) as decision:
        connection = decision._connection
        decision.keep_alerts([alert], NOW)
        add_alerts(connection, [ROUTE, THEIRS], [alert], NOW, EXPIRY)
        if fails:
            raise ZeroDivisionError


def test_an_alert_and_its_notifications_are_kept_together_or_not_at_all(database: Database, box: Outbox) -> None:
    with pytest.raises(ZeroDivisionError):
        keep(database, alert_of(CASE), fails=True)
    assert box.counts() == {}
    keep(database, alert_of(CASE))
    (told,) = box.due("mail", NOW, 9)
    assert (told.alert, told.document["event"], told.document["asset"]) == (CASE, "raised", "P-101")
    assert box.counts() == {("mail", "waiting"): 1}


def test_the_customer_of_the_asset_decides(database: Database, box: Outbox) -> None:
    keep(database, alert_of(CASE))
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO customers (name) VALUES ('ACME')")
        connection.execute(assets.update().values(customer="ACME"))
    keep(database, alert_of(CASE, AlertEvent.CLEARED))
    assert box.counts() == {("mail", "waiting"): 2, ("acme", "waiting"): 1}


def escalate(database: Database, now: datetime) -> None:
    with database.writing() as connection:
        add_escalations(connection, [ROUTE], now, EXPIRY)


def test_a_case_escalates_once_and_not_after_somebody_took_it_on(database: Database, box: Outbox) -> None:
    case = new_id()
    before = datetime.now(UTC) - SECOND
    keep(database, alert_of(case))
    with database.reading() as connection:
        (each,) = unacknowledged(connection)
    assert each.case.id == case
    assert before <= each.since <= datetime.now(UTC), "by the service's clock, not by that of the sensor"
    escalate(database, each.since + timedelta(seconds=1799))
    assert ("chief", "waiting") not in box.counts()
    for seconds in (1800, 1900, 9999):
        escalate(database, each.since + timedelta(seconds=seconds))
    assert box.counts()[("chief", "waiting")] == 1
    other = alert_of(new_id(), asset="P-102")
    keep(database, other)
    with Conditions(database).deciding("P-102") as decision:
        decision.keep_case(replace(other.case, state=CaseState.ACKNOWLEDGED), {}, NOW)
        decision.keep_rules(AssetState("P-102"))
    escalate(database, each.since + timedelta(days=1))
    assert box.counts()[("chief", "waiting")] == 1


def test_what_was_told_is_forgotten_once_its_alert_is_resolved(database: Database, box: Outbox) -> None:
    kept, resolved = alert_of(new_id()), alert_of(new_id(), asset="P-102")
    for alert in (kept, resolved):
        keep(database, alert)
    with Conditions(database).deciding("P-102") as decision:
        decision.keep_case(replace(resolved.case, state=CaseState.RESOLVED), {}, NOW)
    put(database, delivery(1))
    ids = [each.id for each in box.due("mail", NOW, 9)]
    assert len(ids) == 3
    box.sent(ids, NOW)
    put(database, delivery(2))
    assert forget_settled(database, NOW) == 0
    assert forget_settled(database, NOW + SECOND) == 2
    assert box.counts() == {("mail", "sent"): 1, ("mail", "waiting"): 1}
