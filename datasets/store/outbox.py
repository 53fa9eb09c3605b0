"""What is to be told and has not been told yet: kept with the alert in one transaction, taken out once a receiver has it.

Nothing is lost where a process ends at any moment: what it was sending is sent again once its lease has run out. A receiver may so get the
same twice, under the same id. What concerns one alert reaches a channel in the order in which it was added, unless the receiver refused the
earlier alone.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, Update, and_, case, exists, func, literal, or_, select

from andon.datasets.store.columns import Moment
from andon.datasets.store.database import Database
from andon.datasets.store.schema import alert_events, alerts, assets, outbox
from andon.datasets.store.upserts import insert_missing
from andon.models.alerts.case import Alert, AlertEvent, Case, CaseState
from andon.models.alerts.notifying import Delivery, OpenCase, Route, due_escalations, plan
from andon.models.types.moments import utc

WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"
LONGEST_REASON = 500
_CALLS_FOR_ATTENTION = (AlertEvent.RAISED.value, AlertEvent.ESCALATED.value, "reopened")
_earlier = outbox.alias("earlier")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One alert that is to be told on one channel.

    Parameters
    ----------
    attempts
        How often it was tried already.
    refusals
        How often the receiver refused it alone.
    """

    id: str
    channel: str
    alert: str
    language: str
    document: Mapping[str, Any]
    created: datetime
    attempts: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be sent, and when to try again.

    Parameters
    ----------
    refused
        Later ones need not wait for it: the receiver refused this one alone, or keeps no state.
    """

    reason: str
    next_due: datetime
    refused: bool


class _Payload(msgspec.Struct, frozen=True):
    language: str
    document: dict[str, Any]


def add(connection: Connection, deliveries: Sequence[Delivery], now: datetime, give_up_after: timedelta) -> None:
    """Add what is to be told, in the caller's transaction. What is there already, by its id, stays as it is.

    Parameters
    ----------
    give_up_after
        How long after it is due something is tried.
    """
    rows: dict[Hashable, dict[str, Any]] = {each.id: _row(each, now, give_up_after) for each in deliveries}
    insert_missing(connection, outbox, rows)


def add_alerts(
    connection: Connection, routes: Sequence[Route], given: Iterable[Alert], now: datetime, give_up_after: timedelta
) -> None:
    """Add what the routes say of alerts that are kept in the same transaction; their assets are kept already."""
    for alert in given:
        customer = connection.scalar(select(assets.c.customer).where(assets.c.name == alert.case.asset))
        add(connection, plan(routes, alert, customer, now), now, give_up_after)


def add_escalations(connection: Connection, routes: Sequence[Route], now: datetime, give_up_after: timedelta) -> None:
    """Add what the routes say of cases that nobody has acknowledged; each of it once, however often this is called."""
    add(connection, due_escalations(routes, unacknowledged(connection), now), now, give_up_after)


def unacknowledged(connection: Connection) -> list[OpenCase]:
    """Find the cases that are open and that nobody has acknowledged, each with when that was last asked for."""
    asked = (
        select(alert_events.c.id)
        .where(alert_events.c.alert == alerts.c.id, alert_events.c.event.in_(_CALLS_FOR_ATTENTION))
        .order_by(alert_events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = (
        select(alerts.c.case, assets.c.customer, asked.label("asked"), alerts.c.opened)
        .join(assets, assets.c.name == alerts.c.asset)
        .where(alerts.c.state == CaseState.OPEN.value)
    )
    return [
        OpenCase(msgspec.json.decode(row.case, type=Case), row.customer, _made(row.asked) if row.asked else row.opened)
        for row in connection.execute(found)
    ]


def forget_settled(database: Database, before: datetime) -> int:
    """Drop what was settled before then, unless its alert is still open: escalations of it are told once. Returns how many."""
    unresolved = select(alerts.c.id).where(alerts.c.state != CaseState.RESOLVED.value)
    old = and_(outbox.c.state != WAITING, outbox.c.settled < before, outbox.c.alert.not_in(unresolved))
    with database.writing() as connection:
        return connection.execute(outbox.delete().where(old)).rowcount


class Outbox:
    """Takes out what is due. Safe to use from several threads and processes at once.

    Parameters
    ----------
    lease
        For how long what was taken out is left to its taker. Longer than sending may take; what a process had taken that was killed is
        sent again after it.
    """

    def __init__(self, database: Database, lease: timedelta) -> None:
        self._database = database
        self._lease = lease

    def due(self, channel: str, now: datetime, limit: int) -> tuple[Waiting, ...]:
        """Take out what is due on a channel and not held for a summary, what has waited longest first."""
        return self._take(now, limit, outbox.c.channel == channel, outbox.c.held.is_(False), ~_is_behind())

    def held(self, channel: str, now: datetime, limit: int) -> tuple[Waiting, ...]:
        """Take out what was held for a summary that is due."""
        return self._take(now, limit, outbox.c.channel == channel, outbox.c.held.is_(True))

    def next_due(self, channel: str) -> datetime | None:
        """Say from when on there may be something to take out; None where nothing waits."""
        found = select(func.min(outbox.c.due)).where(outbox.c.state == WAITING, outbox.c.channel == channel)
        with self._database.reading() as connection:
            found_due: datetime | None = connection.scalar(found)
        return found_due

    def sent(self, ids: Collection[str], now: datetime) -> None:
        """Note that a receiver has them."""
        self._settle(ids, {"state": SENT, "settled": now, "failure": ""})

    def give_up(self, ids: Collection[str], reason: str, now: datetime) -> None:
        """Note that they are not tried again."""
        self._settle(ids, {"state": GIVEN_UP, "settled": now, "failure": reason[:LONGEST_REASON]})

    def failed(self, ids: Collection[str], failure: Failure, now: datetime) -> tuple[str, ...]:
        """Put back what could not be sent. Returns those that have expired by their next attempt, and are given up."""
        expired = outbox.c.expires < failure.next_due
        values = {
            "state": case((expired, GIVEN_UP), else_=WAITING),
            "settled": case((expired, literal(now, Moment)), else_=None),
            "due": failure.next_due,
            "failure": failure.reason[:LONGEST_REASON],
            "refusals": outbox.c.refusals + int(failure.refused),
        }
        with self._database.writing() as connection:
            changed = connection.execute(_settling(ids, values).returning(outbox.c.id, outbox.c.state)).all()
        return tuple(row.id for row in changed if row.state == GIVEN_UP)

    def abandon(self, channels: Collection[str], now: datetime) -> int:
        """Give up what has expired on channels other than these, as nobody tries those any more. Returns how many."""
        lost = and_(outbox.c.state == WAITING, outbox.c.expires < now, outbox.c.channel.not_in(channels))
        values = {"state": GIVEN_UP, "settled": now, "failure": "no such channel"}
        with self._database.writing() as connection:
            return connection.execute(outbox.update().where(lost).values(values)).rowcount

    def counts(self) -> dict[tuple[str, str], int]:
        """Count what is kept, by channel and state."""
        found = select(outbox.c.channel, outbox.c.state, func.count()).group_by(outbox.c.channel, outbox.c.state)
        with self._database.reading() as connection:
            return {(channel, state): count for channel, state, count in connection.execute(found)}

    def _take(self, now: datetime, limit: int, *conditions: ColumnElement[bool]) -> tuple[Waiting, ...]:
        ready = and_(outbox.c.state == WAITING, outbox.c.due <= now, self._is_free(now), *conditions)
        found = select(outbox).where(ready).order_by(outbox.c.due, outbox.c.created, outbox.c.id).limit(limit)
        with self._database.writing() as connection:
            rows = connection.execute(_leaving_out_what_others_take(found)).all()
            taken = outbox.c.id.in_([row.id for row in rows])
            if rows:
                values = {"leased": now + self._lease, "attempts": outbox.c.attempts + 1}
                connection.execute(outbox.update().where(taken).values(values))
        return tuple(map(_waiting, rows))

    def _is_free(self, now: datetime) -> ColumnElement[bool]:
        """Nobody has it. A lease that ends later than any can is from before a clock was set back, and is none.

        Another process may have read the clock a little later, or its clock may be ahead, by up to a lease.
        """
        leased = outbox.c.leased
        return or_(leased.is_(None), leased <= now, leased > now + 2 * self._lease)

    def _settle(self, ids: Collection[str], values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute(_settling(ids, values))


def _settling(ids: Collection[str], values: Mapping[str, Any]) -> Update:
    theirs = and_(outbox.c.id.in_(ids), outbox.c.state == WAITING)
    return outbox.update().where(theirs).values({**values, "leased": None})


def _is_behind() -> ColumnElement[bool]:
    """Something of the same alert was added earlier for the channel and has not been tried on its own yet."""
    before = or_(
        _earlier.c.created < outbox.c.created,
        and_(_earlier.c.created == outbox.c.created, _earlier.c.id < outbox.c.id),
    )
    same = and_(_earlier.c.alert == outbox.c.alert, _earlier.c.channel == outbox.c.channel)
    waits = and_(_earlier.c.state == WAITING, _earlier.c.held.is_(False), _earlier.c.refusals == 0)
    return exists().where(same, waits, before)


def _leaving_out_what_others_take(found: Select[Any]) -> Select[Any]:
    """PostgreSQL takes rows that no other process is taking at this moment; SQLite has one writer and passes this over."""
    return found.with_for_update(skip_locked=True, of=outbox)


def _row(delivery: Delivery, now: datetime, give_up_after: timedelta) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "alert": delivery.alert,
        "created": now,
        "due": delivery.due,
        "expires": delivery.due + give_up_after,
        "held": delivery.held,
        "attempts": 0,
        "refusals": 0,
        "state": WAITING,
        "failure": "",
        "payload": msgspec.json.encode(_Payload(delivery.language, dict(delivery.document))),
    }


def _waiting(row: Row[Any]) -> Waiting:
    payload = msgspec.json.decode(row.payload, type=_Payload)
    return Waiting(
        id=row.id,
        channel=row.channel,
        alert=row.alert,
        language=payload.language,
        document=payload.document,
        created=row.created,
        attempts=row.attempts,
        refusals=row.refusals,
    )


def _made(identifier: str) -> datetime:
    """When a UUIDv7 was made, to the millisecond."""
    return utc((UUID(identifier).int >> 80) * 1000)
