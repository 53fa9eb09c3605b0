"""When an alert is raised, said again, made worse and cleared; and that nothing else decides it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.alerts.case import (
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AssetState,
    CaseState,
    Observation,
    Part,
)
from andon.models.alerts.rules import (
    acknowledge,
    decide,
    decide_silence,
    expect,
    forget_sensor,
    note_arrivals,
    resolve,
    restart_clock,
)
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Fault, Severity

START = datetime(2026, 3, 1, tzinfo=UTC)
QUICK = AlertPolicy(k=2, n=3, min_duration_s=0.0, clear_m=2)
STEP = timedelta(minutes=10)


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"case-{next(numbers)}"


def seen(minutes: float, abnormal: bool = True, **changes: Any) -> Observation:
    observation = Observation(
        asset="pump-7",
        sensor="DE",
        time=START + timedelta(minutes=minutes),
        valid=True,
        abnormal=abnormal,
        kind=AlertKind.FAULT,
        fault=Fault.OUTER_RACE if abnormal else Fault.NONE,
        severity=Severity.WATCH if abnormal else Severity.NORMAL,
    )
    return replace(observation, **changes)


def play(
    policy: AlertPolicy, observations: Iterable[Observation], state: AssetState | None = None
) -> tuple[AssetState, list[Alert]]:
    state = state or AssetState("pump-7")
    new_id = numbered()
    given_out: list[Alert] = []
    for observation in observations:
        state, alerts = decide(policy, state, observation, new_id)
        given_out += alerts
    return state, given_out


def flags(text: str, **changes: Any) -> list[Observation]:
    """``x`` is abnormal, ``.`` normal, ``?`` invalid; one every ten minutes."""
    return [
        seen(10 * index, each == "x", valid=each != "?", **changes if each == "x" else {})
        for index, each in enumerate(text)
    ]


def at(alerts: Sequence[Alert]) -> list[tuple[str, int]]:
    return [(alert.event.value, (alert.time - START) // STEP) for alert in alerts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("xx", []),
        ("xxx", []),
        ("xxxx", [("raised", 3)]),
        ("x.x.x", [("raised", 4)]),
        ("xx..x", [("raised", 4)]),
        ("xx...x", []),
        ("xx..?x", [("raised", 5)]),
        ("x....x....x", []),
        # Half an hour has passed at the fourth, but what is seen then is normal: the next abnormal one raises.
        ("xxx.x", [("raised", 4)]),
    ],
)
def test_three_of_five_and_half_an_hour(text: str, expected: list[tuple[str, int]]) -> None:
    assert at(play(AlertPolicy(), flags(text))[1]) == expected


def test_duration_counts_to_the_second() -> None:
    policy = AlertPolicy(k=2, n=2, min_duration_s=600.0, clear_m=1)
    assert not play(policy, [seen(0), seen(5), seen(9.99)])[1]
    assert play(policy, [seen(0), seen(5), seen(10)])[1]


def test_a_pause_in_persistence_starts_the_duration_anew() -> None:
    policy = AlertPolicy(k=3, n=3, min_duration_s=1800.0, clear_m=1)
    assert at(play(policy, flags("xxx.xxxx"))[1]) == [("raised", 7)]


def test_invalid_snapshots_count_neither_way() -> None:
    assert at(play(QUICK, flags("x????x"))[1]) == [("raised", 5)]
    assert at(play(QUICK, flags("xx?????.?.?"))[1]) == [("raised", 1), ("cleared", 9)]


def test_clears_only_after_enough_normal_ones() -> None:
    policy = AlertPolicy(k=2, n=5, min_duration_s=0.0, clear_m=4)
    assert at(play(policy, flags("xx..."))[1]) == [("raised", 1)]
    assert at(play(policy, flags("xx...."))[1]) == [("raised", 1), ("cleared", 5)]
    assert at(play(policy, flags("xx...xx..."))[1]) == [("raised", 1)]
    assert at(play(policy, flags("xx...x..."))[1]) == [("raised", 1), ("cleared", 6)]


def test_between_the_two_limits_nothing_is_cleared() -> None:
    below = {"score": 9.5, "threshold": 10.0}
    raised = [seen(0), seen(10)]
    hovering = [seen(20 + 10 * index, False, **below) for index in range(20)]
    state, alerts = play(QUICK, raised + hovering)
    assert at(alerts) == [("raised", 1)]
    assert state.case
    calm = [seen(300 + 10 * index, False, score=9.0, threshold=10.0) for index in range(2)]
    assert [alert.event for alert in play(QUICK, calm, state)[1]] == [AlertEvent.CLEARED]


def test_the_case_says_what_was_found() -> None:
    found = {"p_value": 0.004, "frequency_hz": 107.4, "order": 3.58, "place": "drive end", "zone": "C"}
    state, (alert,) = play(QUICK, flags(".xx", **found))
    case = alert.case
    assert state.case == case
    assert (case.id, case.asset, case.kind, case.fault, case.part) == (
        "case-1",
        "pump-7",
        AlertKind.FAULT,
        Fault.OUTER_RACE,
        Part.BEARING,
    )
    assert (case.since, case.opened, case.last_seen) == (START + STEP, START + 2 * STEP, START + 2 * STEP)
    assert (case.severity, case.p_value, case.n, case.state) == (Severity.WATCH, 0.004, 2, CaseState.OPEN)
    assert (case.lead.frequency_hz, case.lead.place, case.lead.zone) == (107.4, "drive end", "C")


def test_the_fault_is_the_one_named_most_often() -> None:
    names = [Fault.UNKNOWN, Fault.INNER_RACE, Fault.INNER_RACE, Fault.CAGE]
    policy = AlertPolicy(k=4, n=4, min_duration_s=0.0, clear_m=1)
    _, (alert,) = play(policy, [seen(10 * index, fault=fault) for index, fault in enumerate(names)])
    assert alert.case.fault is Fault.INNER_RACE


def test_one_case_for_all_that_is_found_on_an_asset() -> None:
    first = flags("xx")
    others = [
        seen(20 + 10 * index, sensor=sensor, kind=kind)
        for index, (sensor, kind) in enumerate([("NDE", AlertKind.ANOMALY)] * 3 + [("NDE", AlertKind.ZONE)] * 3)
    ]
    state, alerts = play(QUICK, first + others)
    assert at(alerts) == [("raised", 1)]
    assert state.case
    assert [(finding.sensor, finding.kind) for finding in state.case.findings] == [
        ("DE", AlertKind.FAULT),
        ("NDE", AlertKind.ANOMALY),
        ("NDE", AlertKind.ZONE),
    ]
    assert state.case.n == 6


def test_the_case_is_open_until_the_last_finding_has_gone() -> None:
    both = [each for pair in zip(flags("xx"), flags("xx", sensor="NDE"), strict=True) for each in pair]
    state, _ = play(QUICK, both)
    state, alerts = play(QUICK, [seen(20, False), seen(30, False)], state)
    assert not alerts
    _, alerts = play(QUICK, [seen(20, False, sensor="NDE"), seen(30, False, sensor="NDE")], state)
    assert [alert.event for alert in alerts] == [AlertEvent.CLEARED]
    assert alerts[0].case.state is CaseState.RESOLVED


def test_a_worse_severity_escalates_once_it_persists() -> None:
    danger = [seen(20 + 10 * index, severity=Severity.DANGER) for index in range(3)]
    state, alerts = play(QUICK, flags("xx") + danger)
    assert at(alerts) == [("raised", 1), ("escalated", 3)]
    assert alerts[1].case.id == alerts[0].case.id
    state, alerts = play(QUICK, [seen(60), seen(70), seen(80)], state)
    assert not alerts
    assert state.case
    assert state.case.severity is Severity.DANGER, "the worst so far stands"


def test_a_finding_that_names_a_fault_leads_over_one_that_does_not() -> None:
    anomaly = flags("xx", kind=AlertKind.ANOMALY, fault=Fault.NONE)
    state, _ = play(QUICK, [*anomaly, seen(20), seen(30)])
    assert state.case
    assert state.case.fault is Fault.OUTER_RACE


def test_reminders_come_at_their_interval_until_acknowledged() -> None:
    policy = replace(QUICK, repeat_s=3600.0)
    state, alerts = play(policy, flags("x" * 15))
    assert at(alerts) == [("raised", 1), ("reminder", 7), ("reminder", 13)]
    assert alerts[-1].case.reminders == 2
    much_later, no_silence = START + timedelta(days=9), replace(policy, silence_s=1e9)
    assert [alert.event for alert in decide_silence(no_silence, state, much_later, numbered())[1]] == [
        AlertEvent.REMINDER
    ], "also where nothing is observed any more"
    state = acknowledge(state)
    assert not decide_silence(no_silence, state, much_later, numbered())[1]
    assert not play(policy, [seen(150 + 10 * index) for index in range(20)], state)[1]


def test_an_escalation_ends_the_acknowledgement() -> None:
    state, _ = play(QUICK, flags("xx"))
    state, alerts = play(QUICK, [seen(20 + 10 * n, severity=Severity.DANGER) for n in range(2)], acknowledge(state))
    assert [alert.event for alert in alerts] == [AlertEvent.ESCALATED]
    assert state.case
    assert state.case.state is CaseState.OPEN


def test_what_is_resolved_must_persist_anew() -> None:
    state, _ = play(QUICK, flags("xx"))
    state, closed = resolve(state, START + 2 * STEP)
    assert [alert.event for alert in closed] == [AlertEvent.CLEARED]
    assert resolve(state, START + 3 * STEP) == (state, ())
    state, once = decide(QUICK, state, seen(30), numbered())
    assert not once
    assert [alert.event for alert in decide(QUICK, state, seen(40), numbered())[1]] == [AlertEvent.RAISED]


def test_a_late_observation_is_counted_and_changes_nothing_else() -> None:
    state, _ = play(QUICK, flags("xx"))
    for late in (seen(5), seen(10), seen(-1e6), seen(9, kind=AlertKind.ZONE)):
        after, alerts = decide(QUICK, state, late, numbered())
        assert (after, alerts) == (replace(state, late=1), ())


def test_another_check_of_the_same_snapshot_is_not_late() -> None:
    state, _ = play(QUICK, [seen(0), seen(0, kind=AlertKind.ZONE), seen(0, sensor="NDE"), seen(-5, sensor="AX")])
    assert state.late == 0
    assert len(state.tracks) == 4


def test_a_clock_that_was_set_back_is_believed_once_it_is_said_so() -> None:
    state, _ = play(replace(QUICK, repeat_s=3600.0), flags("xx"))
    back = START - timedelta(days=1)
    state = restart_clock(state, "DE", back)
    assert state.case
    assert state.case.notified == back
    again = [replace(seen(0, False), time=back + n * STEP) for n in range(2)]
    assert [alert.event for alert in play(QUICK, again, state)[1]] == [AlertEvent.CLEARED]


class TestSilence:
    def heard(self, *sensors: str) -> AssetState:
        return play(QUICK, [seen(0, False, sensor=sensor) for sensor in sensors])[0]

    def test_is_an_alert_after_its_time_and_not_before(self) -> None:
        state, new_id = self.heard("DE"), numbered()
        assert decide_silence(QUICK, state, START + timedelta(seconds=1799), new_id) == (state, ())
        state, (alert,) = decide_silence(QUICK, state, START + timedelta(seconds=1800), new_id)
        assert (alert.event, alert.case.kind, alert.case.part) == (AlertEvent.RAISED, AlertKind.SILENCE, Part.SENSOR)
        assert alert.case.since == START
        assert decide_silence(QUICK, state, START + timedelta(hours=2), new_id) == (state, ())

    def test_sensors_of_one_asset_are_one_alert(self) -> None:
        state, (alert,) = decide_silence(QUICK, self.heard("DE", "NDE"), START + timedelta(hours=1), numbered())
        assert [finding.sensor for finding in alert.case.findings] == ["DE", "NDE"]
        state = expect(state, "AX", START + timedelta(hours=1))
        state, alerts = decide_silence(QUICK, state, START + timedelta(hours=2), numbered())
        assert not alerts, "it joins those that are silent already"
        assert state.case
        assert [finding.sensor for finding in state.case.findings] == ["DE", "NDE", "AX"]

    def test_of_a_sensor_that_never_came(self) -> None:
        state = expect(AssetState("pump-7"), "DE", START)
        assert expect(state, "DE", START + timedelta(hours=1)) == state
        assert decide_silence(QUICK, state, START + timedelta(hours=1), numbered())[1]
        early, _ = decide(QUICK, state, seen(-10), numbered())
        assert (early.late, early.expected) == (0, ()), "what was expected later may come earlier"

    def test_ends_once_enough_has_come_be_it_valid_or_not(self) -> None:
        state, _ = decide_silence(QUICK, self.heard("DE"), START + timedelta(hours=1), numbered())
        back = [seen(70, False), seen(80, False, valid=False)]
        assert at(play(QUICK, back, state)[1]) == [("cleared", 8)]
        state, _ = play(QUICK, back, state)
        _, (alert,) = decide_silence(QUICK, state, START + timedelta(hours=3), numbered())
        assert alert.event is AlertEvent.RAISED

    def test_while_a_case_is_open_is_said_and_keeps_it_open(self) -> None:
        state, _ = play(QUICK, flags("xx", severity=Severity.DANGER))
        state, (alert,) = decide_silence(QUICK, acknowledge(state), START + timedelta(hours=1), numbered())
        assert (alert.event, alert.case.state, alert.case.fault) == (
            AlertEvent.ESCALATED,
            CaseState.OPEN,
            Fault.OUTER_RACE,
        )
        assert len(alert.case.findings) == 2

    def test_goes_by_the_receivers_clock_where_it_is_known(self) -> None:
        years_behind = replace(seen(0, False), time=START - timedelta(days=900))
        state, _ = decide(QUICK, AssetState("pump-7"), years_behind, numbered())
        assert decide_silence(QUICK, state, START, numbered())[1]
        state = note_arrivals(state, {"DE"}, START)
        state, _ = decide(QUICK, state, replace(years_behind, time=years_behind.time + STEP), numbered())
        assert not decide_silence(QUICK, state, START + timedelta(minutes=29), numbered())[1]
        assert decide_silence(QUICK, state, START + timedelta(minutes=30), numbered())[1]

    def test_of_a_sensor_that_was_taken_off_is_none(self) -> None:
        state = forget_sensor(expect(self.heard("DE"), "NDE", START), "DE")
        _, (alert,) = decide_silence(QUICK, state, START + timedelta(hours=1), numbered())
        assert [finding.sensor for finding in alert.case.findings] == ["NDE"]


def test_a_case_stays_open_where_the_sensor_that_opened_it_was_taken_off() -> None:
    state, _ = play(QUICK, flags("xx") + flags("xx", sensor="NDE"))
    calm = [seen(10 * index, False, sensor="NDE") for index in (2, 3)]
    state, alerts = play(QUICK, calm, forget_sensor(state, "DE"))
    assert not alerts
    assert state.case


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"k": 0}, "alert.counts"),
        ({"k": 6}, "alert.counts"),
        ({"clear_m": 6}, "alert.counts"),
        ({"clear_m": 2}, "alert.overlap"),
        ({"clear_ratio": 0.0}, "alert.clear_ratio"),
        ({"repeat_s": -1.0}, "alert.seconds"),
        ({"silence_s": float("nan")}, "alert.seconds"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(changes: dict[str, float], code: str) -> None:
    with pytest.raises(OptionError) as caught:
        AlertPolicy(**changes)  # type: ignore[arg-type]
    assert caught.value.code == code


OBSERVATIONS = st.lists(
    st.builds(
        lambda gap, sensor, kind, abnormal, valid, severity, fault, p: (
            gap,
            seen(0, abnormal, sensor=sensor, kind=kind, valid=valid, severity=severity, fault=fault, p_value=p),
        ),
        st.integers(-3, 40),
        st.sampled_from(["DE", "NDE"]),
        st.sampled_from([AlertKind.FAULT, AlertKind.ANOMALY]),
        st.booleans(),
        st.sampled_from([True, True, True, False]),
        st.sampled_from(Severity),
        st.sampled_from([Fault.OUTER_RACE, Fault.CAGE, Fault.UNKNOWN]),
        st.none() | st.floats(0, 1),
    ),
    max_size=30,
)


def timed(pairs: list[tuple[int, Observation]]) -> list[Observation]:
    now, timed_ones = START, []
    for gap, observation in pairs:
        now += timedelta(minutes=gap)
        timed_ones.append(replace(observation, time=now))
    return timed_ones


def reread(state: AssetState) -> AssetState:
    return msgspec.json.decode(msgspec.json.encode(state), type=AssetState)


@settings(max_examples=60, deadline=None)
@given(pairs=OBSERVATIONS, cut=st.integers(0, 30))
def test_a_restart_changes_no_decision(pairs: list[tuple[int, Observation]], cut: int) -> None:
    policy, observations = replace(QUICK, repeat_s=7200.0), timed(pairs)
    state = restarted = AssetState("pump-7")
    first, second = numbered(), numbered()
    for index, observation in enumerate(observations):
        if index >= cut:
            restarted = reread(restarted)
        silence = decide_silence(policy, state, observation.time, first)
        assert decide_silence(policy, restarted, observation.time, second) == silence
        step = decide(policy, silence[0], observation, first)
        assert decide(policy, silence[0] if index < cut else reread(silence[0]), observation, second) == step
        state = restarted = step[0]


@settings(max_examples=60, deadline=None)
@given(pairs=OBSERVATIONS)
def test_a_case_is_raised_before_all_else_and_cleared_before_the_next(pairs: list[tuple[int, Observation]]) -> None:
    _, alerts = play(replace(QUICK, repeat_s=3600.0), timed(pairs))
    open_case: str | None = None
    for alert in alerts:
        if alert.event is AlertEvent.RAISED:
            assert open_case is None, "one open case per asset"
            open_case = alert.case.id
        assert alert.case.id == open_case
        if alert.event is AlertEvent.CLEARED:
            open_case = None


@settings(max_examples=50, deadline=None)
@given(pairs=OBSERVATIONS, invalid=OBSERVATIONS)
def test_invalid_observations_change_no_alert(
    pairs: list[tuple[int, Observation]], invalid: list[tuple[int, Observation]]
) -> None:
    policy = replace(QUICK, repeat_s=1e9)
    ascending = [(abs(gap) + 1, each) for gap, each in pairs]
    observations = timed(ascending)
    noise = [
        replace(each, valid=False, time=START + timedelta(minutes=n, seconds=30)) for n, (_, each) in enumerate(invalid)
    ]
    state, alerts = play(policy, sorted(observations + noise, key=lambda each: each.time))
    assert state.late == 0
    assert [(alert.event, alert.time) for alert in alerts] == [
        (alert.event, alert.time) for alert in play(policy, observations)[1]
    ]
