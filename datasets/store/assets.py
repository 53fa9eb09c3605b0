"""Machines as they are kept: where they stand, whose they are, and what was heard of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, func, select, type_coerce

from andon.datasets.store.database import Database
from andon.datasets.store.paging import Page
from andon.datasets.store.schema import alert_events, alerts, assets, cells, customers, feedback, indicators, signals
from andon.datasets.store.schema import sensors as sensor_table
from andon.datasets.store.upserts import insert_latest, insert_missing
from andon.models.alerts.case import SEVERITY_ORDER, CaseState
from andon.models.types.errors import NotFoundError
from andon.models.types.moments import unix_us
from andon.models.types.vibration import Severity


@dataclass(frozen=True, slots=True)
class KeptAsset:
    """A machine, when each of its sensors was heard last, and its open alert if it has one."""

    name: str
    cell: str | None
    customer: str | None
    sensors: Mapping[str, datetime]
    alert: str | None
    severity: str | None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """What an indicator was over a stretch of time that begins with its first value."""

    time: datetime
    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found in one signal."""

    time: datetime
    sensor: str
    severity: str
    zone: str | None
    running: bool | None


class Assets:
    """Reads machines. Methods that take one raise ``NotFoundError`` where there is none, or none of that customer's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, customer: str | None, after: str, limit: int) -> Page[KeptAsset]:
        """List machines by name; ``after`` is where the page before ended, empty for the first."""
        found = select(assets).where(*_of(customer), assets.c.name > after).order_by(assets.c.name).limit(limit + 1)
        with self._database.reading() as connection:
            rows = connection.execute(found).all()
            shown = _with_what_was_heard(connection, rows[:limit])
        return Page(shown, shown[-1].name if len(rows) > limit else None)

    def get(self, name: str, customer: str | None = None) -> KeptAsset:
        """Find one."""
        with self._database.reading() as connection:
            rows = connection.execute(select(assets).where(*_of(customer), assets.c.name == name)).all()
            if not rows:
                raise NotFoundError("report.no_asset", name)
            return _with_what_was_heard(connection, rows)[0]

    def place(self, name: str, cell: str | None, customer: str | None) -> None:
        """Say where a machine stands and whose it is; one that was not known is from then on."""
        with self._database.writing() as connection:
            insert_missing(connection, cells, {cell: {"name": cell}} if cell else {})
            insert_missing(connection, customers, {customer: {"name": customer}} if customer else {})
            row = {"name": name, "cell": cell, "customer": customer}
            insert_latest(connection, assets, {name: row}, "cell", "customer")

    def measured(self, name: str, since: datetime, until: datetime) -> list[tuple[str, str]]:
        """List which indicators of which sensors there are, as pairs of sensor and indicator."""
        columns = indicators.c
        mine = (columns.asset == name, columns.time >= since, columns.time < until)
        found = select(columns.sensor, columns.name).where(*mine).distinct().order_by(columns.sensor, columns.name)
        with self._database.reading() as connection:
            return [(row.sensor, row.name) for row in connection.execute(found)]

    def trend(
        self, name: str, sensor: str, indicator: str, since: datetime, until: datetime, points: int
    ) -> list[TrendPoint]:
        """How an indicator went on: its least, mean and highest value over at most ``points`` stretches of equal length."""
        columns = indicators.c
        width_us = max(1, -(-(until - since) // timedelta(microseconds=1) // points))
        stretch = (type_coerce(columns.time, BigInteger) - unix_us(since)) // width_us
        mine = (columns.asset == name, columns.sensor == sensor, columns.name == indicator)
        found = (
            select(func.min(columns.time).label("time"), func.min(columns.value).label("low"))
            .add_columns(func.avg(columns.value).label("mean"), func.max(columns.value).label("high"))
            .where(*mine, columns.time >= since, columns.time < until)
            .group_by(stretch.label("stretch"))
            .order_by(func.min(columns.time))
        )
        with self._database.reading() as connection:
            return [TrendPoint(*row) for row in connection.execute(found)]

    def snapshots(self, name: str, since: datetime, until: datetime) -> list[Snapshot]:
        """What was found in each signal, the earliest first."""
        columns = signals.c
        found = (
            select(columns.time, columns.sensor, columns.severity, columns.zone, columns.running)
            .where(columns.asset == name, columns.time >= since, columns.time < until)
            .order_by(columns.time, columns.id)
        )
        with self._database.reading() as connection:
            return [Snapshot(*row) for row in connection.execute(found)]

    def cases(self, name: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """List the cases that were open in a stretch of time, with what happened to them before its end."""
        open_then = (alerts.c.state != CaseState.RESOLVED.value) | (alerts.c.changed >= since)
        found = select(alerts).where(alerts.c.asset == name, alerts.c.opened < until, open_then).order_by(alerts.c.id)
        with self._database.reading() as connection:
            return [_case(connection, row, until) for row in connection.execute(found).all()]


def _of(customer: str | None) -> list[ColumnElement[bool]]:
    return [] if customer is None else [assets.c.customer == customer]


def _with_what_was_heard(connection: Connection, rows: Sequence[Row[Any]]) -> list[KeptAsset]:
    names = [row.name for row in rows]
    heard = connection.execute(select(sensor_table).where(sensor_table.c.asset.in_(names))).all()
    unresolved = alerts.c.asset.in_(names) & (alerts.c.state != CaseState.RESOLVED.value)
    # A box may hold a case of a machine beside one that is held here: the most urgent stands last, and is shown.
    found = sorted(connection.execute(select(alerts).where(unresolved).order_by(alerts.c.id)), key=_urgency)
    cases = {row.asset: row for row in found}
    return [
        KeptAsset(
            name=row.name,
            cell=row.cell,
            customer=row.customer,
            sensors={each.name: each.last_seen for each in heard if each.asset == row.name},
            alert=cases[row.name].id if row.name in cases else None,
            severity=cases[row.name].severity if row.name in cases else None,
        )
        for row in rows
    ]


def _urgency(row: Row[Any]) -> int:
    return SEVERITY_ORDER.index(Severity(row.severity))


def _case(connection: Connection, row: Row[Any], until: datetime) -> dict[str, Any]:
    happened, found = alert_events.c, feedback.c
    events = select(happened.time, happened.event, happened.actor, happened.comment)
    events = events.where(happened.alert == row.id, happened.time < until)
    said = select(found.time, found.is_true, found.part_found, found.comment, found.actor)
    said = said.where(found.alert == row.id, found.time < until)
    return {
        **{name: getattr(row, name) for name in ("id", "state", "kind", "fault", "severity", "opened")},
        "events": _mappings(connection, events.order_by(alert_events.c.id)),
        "feedback": _mappings(connection, said.order_by(feedback.c.id)),
    }


def _mappings(connection: Connection, found: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(found)]
