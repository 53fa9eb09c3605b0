"""Who is told when: routes, quiet hours that nothing but danger breaks, escalation of what nobody acknowledges."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andon.models.alerts.case import SEVERITY_ORDER, Alert, AlertEvent, AlertKind, Case, CaseState, Finding
from andon.models.alerts.notifying import (
    Level,
    OpenCase,
    QuietHours,
    Route,
    due_escalations,
    is_always_quiet,
    plan,
    quiet_until,
)
from andon.models.types.vibration import Fault, Severity

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SHANGHAI, BERLIN, BEIRUT = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Beirut")
NIGHT = QuietHours(time(22), time(6), SHANGHAI)
IN_THE_NIGHT = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
CASE = "0197-case"


def case_of(severity: Severity = Severity.WARNING, asset: str = "P-101") -> Case:
    finding = Finding(AlertKind.FAULT, "DE", Fault.OUTER_RACE, severity, NOW)
    return Case(CASE, asset, (finding,), NOW, NOW, NOW, NOW, 3)


def alert_of(event: AlertEvent = AlertEvent.RAISED, severity: Severity = Severity.WARNING) -> Alert:
    return Alert(event, NOW, case_of(severity))


def told(routes: Sequence[Route], alert: Alert, customer: str | None = None, now: datetime = NOW) -> list[str]:
    return [each.channel for each in plan(routes, alert, customer, now)]


@pytest.mark.parametrize(
    ("changes", "customer", "tells"),
    [
        ({}, None, True),
        ({"severity": Severity.WARNING}, None, True),
        ({"severity": Severity.DANGER}, None, False),
        ({"assets": ("P-1*", "F-?")}, None, True),
        ({"assets": ("p-1*",)}, None, False),
        ({"assets": ("P-10",)}, None, False),
        ({"customers": frozenset({"ACME"})}, "ACME", True),
        ({"customers": frozenset({"ACME"})}, "Other", False),
        ({"customers": frozenset({"ACME"})}, None, False),
        ({"events": frozenset({AlertEvent.RAISED})}, None, True),
        ({"events": frozenset({AlertEvent.CLEARED})}, None, False),
    ],
)
def test_a_route_tells_what_it_is_for(changes: dict[str, object], customer: str | None, tells: bool) -> None:
    route = Route(("mail",), "en", **changes)  # type: ignore[arg-type]
    assert bool(told([route], alert_of(), customer)) is tells


def test_severities_are_ordered_as_the_alert_rules_order_them() -> None:
    for least in SEVERITY_ORDER:
        heard = [
            each for each in SEVERITY_ORDER if told([Route(("m",), "en", severity=least)], alert_of(severity=each))
        ]
        assert heard == list(SEVERITY_ORDER[SEVERITY_ORDER.index(least) :])


def test_a_channel_is_told_once_by_the_route_that_tells_it_first() -> None:
    routes = [Route(("a", "b"), "zh_CN", quiet=(NIGHT,)), Route(("b", "c"), "en"), Route(("c",), "zh_CN")]
    deliveries = plan(routes, alert_of(), None, IN_THE_NIGHT)
    assert [(each.channel, each.language, each.held) for each in deliveries] == [
        ("a", "zh_CN", True),
        ("b", "en", False),
        ("c", "en", False),
    ]


def test_what_is_told_names_the_alert_and_can_be_planned_again() -> None:
    route = Route(("a", "b"), "en")
    first, second = (plan([route], alert_of(), None, now) for now in (NOW, IN_THE_NIGHT))
    assert [each.id for each in first] == [each.id for each in second]
    others = plan([route], alert_of(AlertEvent.CLEARED), None, NOW)
    assert len({each.id for each in (*first, *others)}) == 4
    assert all(UUID(each.id).version == 7 for each in first)
    assert first[0].alert == first[0].document["id"] == CASE
    assert first[0].document["event"] == "raised"


@pytest.mark.parametrize(
    ("hours", "moment", "until"),
    [
        (NIGHT, "2026-03-04T13:59:59+00:00", None),
        (NIGHT, "2026-03-04T14:00:00+00:00", "2026-03-04T22:00:00+00:00"),
        (NIGHT, "2026-03-04T21:59:59+00:00", "2026-03-04T22:00:00+00:00"),
        (NIGHT, "2026-03-04T22:00:00+00:00", None),
        # Friday's night is quiet, Saturday's is not: what began on Friday lasts into Saturday.
        (replace(NIGHT, weekdays=frozenset({4})), "2026-03-06T21:00:00+00:00", "2026-03-06T22:00:00+00:00"),
        (replace(NIGHT, weekdays=frozenset({4})), "2026-03-07T21:00:00+00:00", None),
        # A whole day from midnight to midnight.
        (
            QuietHours(time(0), time(0), SHANGHAI, frozenset({6})),
            "2026-03-07T16:00:00+00:00",
            "2026-03-08T16:00:00+00:00",
        ),
        # Berlin's clocks go from 2 to 3 on 29 March 2026: the night is an hour shorter, and from 3 to 2 on 25 October.
        (QuietHours(time(22), time(6), BERLIN), "2026-03-28T22:00:00+00:00", "2026-03-29T04:00:00+00:00"),
        (QuietHours(time(22), time(6), BERLIN), "2026-10-24T21:00:00+00:00", "2026-10-25T05:00:00+00:00"),
        # An end that comes twice counts at its second time, one that never comes as if the clock had not been put forward.
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-10-24T21:00:00+00:00", "2026-10-25T01:30:00+00:00"),
        (QuietHours(time(22), time(2, 30), BERLIN), "2026-03-28T22:00:00+00:00", "2026-03-29T01:30:00+00:00"),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(hours: QuietHours, moment: str, until: str | None) -> None:
    assert quiet_until([hours], datetime.fromisoformat(moment)).isoformat() == (until or moment)


def test_hours_that_follow_each_other_are_one() -> None:
    hours = [NIGHT, QuietHours(time(6), time(8), SHANGHAI), QuietHours(time(7), time(9), SHANGHAI)]
    assert quiet_until(hours, IN_THE_NIGHT).isoformat() == "2026-03-05T01:00:00+00:00"


def test_hours_that_never_end_hold_nothing() -> None:
    ever = [QuietHours(time(0), time(12), BERLIN), QuietHours(time(12), time(0), BERLIN)]
    assert quiet_until(ever, NOW) == NOW
    assert is_always_quiet(ever, NOW)
    assert not is_always_quiet(ever[:1], NOW)
    assert not is_always_quiet([], NOW)


def test_danger_is_told_at_once_and_the_rest_when_it_is_loud_again() -> None:
    route = Route(("mail",), "en", quiet=(NIGHT,))
    for severity in SEVERITY_ORDER:
        (delivery,) = plan([route], alert_of(severity=severity), None, IN_THE_NIGHT)
        if severity is Severity.DANGER:
            assert (delivery.due, delivery.held) == (IN_THE_NIGHT, False)
        else:
            assert (delivery.due.isoformat(), delivery.held) == ("2026-03-04T22:00:00+00:00", True)


ZONES = st.sampled_from([SHANGHAI, BERLIN, BEIRUT, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")])
CLOCKS = st.times().map(lambda each: each.replace(second=0, microsecond=0))
HOURS = st.builds(QuietHours, CLOCKS, CLOCKS, ZONES, st.frozensets(st.integers(0, 6), min_size=1))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


def is_quiet_on_the_wall(hours: QuietHours, moment: datetime) -> bool:
    """The same from the other side: what the clock shows, and on which day these hours began."""
    local = moment.astimezone(hours.zone)
    clock, today, yesterday = local.time(), local.weekday(), (local.date() - timedelta(days=1)).weekday()
    if hours.start < hours.end:
        return today in hours.weekdays and hours.start <= clock < hours.end
    return (today in hours.weekdays and clock >= hours.start) or (yesterday in hours.weekdays and clock < hours.end)


@given(st.lists(HOURS, max_size=3), MOMENTS, st.sampled_from(SEVERITY_ORDER))
@example([QuietHours(time(22), time(2, 30), BERLIN)], datetime(2026, 10, 25, 0, 45, tzinfo=UTC), Severity.WATCH)
@example([QuietHours(time(2, 30), time(4), BERLIN)], datetime(2026, 3, 29, 1, 10, tzinfo=UTC), Severity.WATCH)
@example([QuietHours(time(0), time(1), BEIRUT)], datetime(2023, 3, 25, 22, 30, tzinfo=UTC), Severity.WATCH)
def test_nobody_is_woken_but_by_danger(hours: list[QuietHours], moment: datetime, severity: Severity) -> None:
    (delivery,) = plan([Route(("m",), "en", quiet=tuple(hours))], alert_of(severity=severity), None, moment)
    assert delivery.due >= moment
    assert delivery.held is (delivery.due > moment)
    if severity is Severity.DANGER:
        assert delivery.due == moment
    elif not is_always_quiet(hours, moment):
        assert not any(is_quiet_on_the_wall(each, delivery.due) for each in hours)
        assert quiet_until(hours, delivery.due) == delivery.due


@given(HOURS, MOMENTS)
def test_what_is_loud_is_told_at_once(hours: QuietHours, moment: datetime) -> None:
    around = [moment + timedelta(hours=each) for each in (-2, 0, 2)]
    if not any(is_quiet_on_the_wall(hours, each) for each in around):
        local = [each.astimezone(hours.zone) for each in around]
        if local[0].utcoffset() == local[1].utcoffset() == local[2].utcoffset():
            assert quiet_until([hours], moment) == moment


CHAIN = Route(("mail",), "en", levels=(Level(1800.0, ("chief",), "zh_CN"), Level(7200.0, ("manager", "chief"), "en")))


def escalated(minutes: float, route: Route = CHAIN, state: CaseState = CaseState.OPEN, **changes: object) -> list[str]:
    case = replace(case_of(), state=state)
    each = replace(OpenCase(case, None, NOW), **changes)  # type: ignore[arg-type]
    return [each.channel for each in due_escalations([route], [each], NOW + timedelta(minutes=minutes))]


def test_a_case_that_nobody_acknowledges_goes_from_level_to_level() -> None:
    assert escalated(29) == []
    assert escalated(30) == ["chief"]
    assert escalated(120) == ["chief", "manager", "chief"]
    assert escalated(30, since=NOW + timedelta(minutes=5)) == []


@pytest.mark.parametrize("state", [CaseState.ACKNOWLEDGED, CaseState.RESOLVED])
def test_a_case_that_somebody_has_taken_on_goes_no_further(state: CaseState) -> None:
    assert escalated(1000, state=state) == []


def test_only_the_cases_that_a_route_tells_escalate_on_it() -> None:
    assert escalated(1000, replace(CHAIN, severity=Severity.DANGER)) == []
    assert escalated(1000, replace(CHAIN, assets=("F-*",))) == []
    assert escalated(1000, replace(CHAIN, customers=frozenset({"ACME"}))) == []
    assert escalated(1000, replace(CHAIN, customers=frozenset({"ACME"})), customer="ACME") != []


def test_an_escalation_is_the_same_however_often_it_is_asked_for_and_says_how_long_it_took() -> None:
    each = OpenCase(case_of(), None, NOW)
    first, later = (due_escalations([CHAIN, CHAIN], [each], NOW + timedelta(hours=hour)) for hour in (2, 3))
    assert [one.id for one in first] == [one.id for one in later]
    assert len({one.id for one in first}) == len(first) == 3
    assert [one.document["unacknowledged_s"] for one in first] == [1800.0, 7200.0, 7200.0]
    assert [one.language for one in first] == ["zh_CN", "en", "en"]
    again = due_escalations([CHAIN], [replace(each, since=NOW + timedelta(minutes=1))], NOW + timedelta(hours=3))
    assert {one.id for one in again}.isdisjoint(one.id for one in first), "one that got worse escalates anew"


def test_escalations_wait_for_the_end_of_quiet_hours_unless_there_is_danger() -> None:
    quiet = replace(CHAIN, quiet=(NIGHT,))
    minutes = (IN_THE_NIGHT - NOW) / timedelta(minutes=1)
    assert escalated(minutes, quiet) == []
    assert escalated(minutes, quiet, case=case_of(Severity.DANGER)) != []
    assert escalated(minutes + 360, quiet) != []
