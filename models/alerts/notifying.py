"""Who is told of an alert, on which channel and when: routes, quiet hours, escalation. Pure rules.

An alert is told once on each channel: where several routes lead to a channel, the one that tells it first counts, and of two that tell it
at the same time the one that stands first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from andon.models.alerts.card import alert_document
from andon.models.alerts.case import SEVERITY_ORDER, Alert, AlertEvent, Case, CaseState
from andon.models.types.identifiers import uuid7
from andon.models.types.moments import unix_us
from andon.models.types.vibration import Severity

LONGEST_QUIET = timedelta(days=8)
"""Quiet hours repeat every week: what is still quiet after that is quiet for ever, and holds nothing back."""
ALL_EVENTS = frozenset(AlertEvent)
EVERY_DAY = frozenset(range(7))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours in which people are left alone.

    Parameters
    ----------
    start, end
        By the clock on the wall, ``end`` not within. An ``end`` that is not after ``start`` lies on the next day.
    weekdays
        Days on which they start; Monday is 0.
    zone
        Whose wall. Where a clock is put back or forward over ``start`` or ``end``, the earlier start and the later end count.
    """

    start: time
    end: time
    zone: ZoneInfo
    weekdays: frozenset[int] = EVERY_DAY


@dataclass(frozen=True, slots=True)
class Level:
    """Who is told of a case that nobody has acknowledged for a while.

    Parameters
    ----------
    after_s
        Since the case was opened, got worse or was opened again.
    """

    after_s: float
    channels: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts are told, where, and in which language.

    Parameters
    ----------
    severity
        The least urgent that is told, in the order of ``SEVERITY_ORDER``; None tells all.
    assets
        Patterns with ``*``, ``?`` and ``[...]``; one must match.
    customers
        Whose assets; None for all assets, whether they have a customer or not.
    quiet
        Hours in which only danger is told; the rest is held until they end.
    levels
        Who else is told of a case that nobody acknowledges.
    """

    channels: tuple[str, ...]
    language: str
    severity: Severity | None = None
    assets: tuple[str, ...] = ("*",)
    customers: frozenset[str] | None = None
    events: frozenset[AlertEvent] = ALL_EVENTS
    quiet: tuple[QuietHours, ...] = ()
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert that is to be told on one channel.

    Parameters
    ----------
    id
        A UUIDv7 that follows from the alert and the channel: what is planned twice has the same.
    alert
        The case's ``id``.
    held
        It waited for the end of quiet hours, and is told in a summary with all others that did.
    document
        What is told, as ``alert_document`` builds it; for an escalation also ``unacknowledged_s``.
    """

    id: str
    channel: str
    language: str
    alert: str
    due: datetime
    held: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case and what the routes need to know of it.

    Parameters
    ----------
    since
        Since when somebody should have acknowledged it, by the clock that ``now`` is read from.
    """

    case: Case
    customer: str | None
    since: datetime


def plan(routes: Iterable[Route], alert: Alert, customer: str | None, now: datetime) -> tuple[Delivery, ...]:
    """Say on which channels an alert is told, and when.

    Parameters
    ----------
    customer
        Whose asset it is; None where it is nobody's.

    Returns
    -------
    One for each channel, never due before ``now``; danger is due at once.
    """
    first: dict[str, Delivery] = {}
    for delivery in _deliveries(routes, alert, customer, now):
        chosen = first.get(delivery.channel)
        if chosen is None or delivery.due < chosen.due:
            first[delivery.channel] = delivery
    return tuple(first.values())


def due_escalations(routes: Iterable[Route], cases: Iterable[OpenCase], now: datetime) -> tuple[Delivery, ...]:
    """Say whom to tell now of cases that nobody has acknowledged.

    What was due before is given again, under the same ``id``: who keeps them by that tells each once. In a route's quiet hours only danger is
    given; the rest follows when they end, unless somebody acknowledges it until then.
    """
    routes = tuple(routes)
    found: dict[str, Delivery] = {}
    for each in cases:
        for delivery in _escalations(routes, each, now):
            found.setdefault(delivery.id, delivery)
    return tuple(found.values())


def quiet_until(hours: Iterable[QuietHours], moment: datetime) -> datetime:
    """Say when it stops being quiet: ``moment`` itself where it is not quiet then, or where it is quiet for ever.

    >>> night = QuietHours(time(22), time(6), ZoneInfo("Asia/Shanghai"))
    >>> quiet_until([night], datetime(2026, 3, 1, 15, 30, tzinfo=UTC)).isoformat()
    '2026-03-01T22:00:00+00:00'
    """
    hours = tuple(hours)
    end = moment
    while (later := max((each_end for each in hours for each_end in _ends(each, end)), default=end)) > end:
        if later - moment > LONGEST_QUIET:
            return moment
        end = later
    return end


def is_always_quiet(hours: Iterable[QuietHours], moment: datetime) -> bool:
    """Tell whether it is quiet at ``moment`` and for a week after it."""
    hours = tuple(hours)
    return quiet_until(hours, moment) == moment and any(True for each in hours for _ in _ends(each, moment))


def _deliveries(routes: Iterable[Route], alert: Alert, customer: str | None, now: datetime) -> Iterator[Delivery]:
    document, case = alert_document(alert), alert.case
    for route in routes:
        if alert.event in route.events and _matches(route, case, customer):
            due = _due(route, case, now)
            for channel in route.channels:
                told = _id(alert.time, case.id, alert.event.value, channel)
                yield Delivery(told, channel, route.language, case.id, due, due > now, document)


def _escalations(routes: Iterable[Route], each: OpenCase, now: datetime) -> Iterator[Delivery]:
    if each.case.state is not CaseState.OPEN:
        return
    for route in routes:
        if _matches(route, each.case, each.customer) and _due(route, each.case, now) == now:
            for level in route.levels:
                yield from _escalation(level, each, now)


def _escalation(level: Level, each: OpenCase, now: datetime) -> Iterator[Delivery]:
    due = each.since + timedelta(seconds=level.after_s)
    if due > now:
        return
    document = alert_document(Alert(AlertEvent.REMINDER, due, each.case)) | {"unacknowledged_s": level.after_s}
    for channel in level.channels:
        told = _id(due, each.case.id, "unacknowledged", channel)
        yield Delivery(told, channel, level.language, each.case.id, now, False, document)


def _matches(route: Route, case: Case, customer: str | None) -> bool:
    urgent = route.severity is None or SEVERITY_ORDER.index(case.severity) >= SEVERITY_ORDER.index(route.severity)
    theirs = route.customers is None or customer in route.customers
    return urgent and theirs and any(fnmatchcase(case.asset, pattern) for pattern in route.assets)


def _due(route: Route, case: Case, now: datetime) -> datetime:
    return now if case.severity is Severity.DANGER else quiet_until(route.quiet, now)


def _ends(hours: QuietHours, moment: datetime) -> Iterator[datetime]:
    """Find the ends of the stretches that ``moment`` lies in: at most that of yesterday's and that of today's."""
    today = moment.astimezone(hours.zone).date()
    for day in (today - _DAY, today):
        if day.weekday() in hours.weekdays:
            start, end = _stretch(hours, day)
            if start <= moment < end:
                yield end


def _stretch(hours: QuietHours, day: date) -> tuple[datetime, datetime]:
    last = day if hours.end > hours.start else day + _DAY
    return min(_readings(day, hours.start, hours.zone)), max(_readings(last, hours.end, hours.zone))


def _readings(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both moments that a wall clock may mean where it is put back or forward; at all other times they are one."""
    local = datetime.combine(day, clock, zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _id(moment: datetime, *names: str) -> str:
    noise = int.from_bytes(sha256("\n".join(names).encode()).digest()[:8], "big") >> 2
    return str(uuid7(unix_us(moment) * 1000, noise))
