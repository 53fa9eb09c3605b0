"""A release spreads in waves, and stops where it does harm."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.edge.updates.waves import Advice, Decision, Report, Standing, WaveRule, decide, plan_waves

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULE = WaveRule(healthy_s=3600.0)
WELL = Report(Standing.WELL, NOW - timedelta(hours=1))
PLAN = (("a",), ("b", "c"), ("d", "e", "f"))


def reports(**standings: Standing | Report) -> dict[str, Report]:
    return {box: each if isinstance(each, Report) else Report(each) for box, each in standings.items()}


@given(
    st.integers(1, 300),
    st.integers(1, 5),
    st.lists(st.floats(0.01, 1.0), max_size=5).map(sorted).map(tuple),
)
def test_every_box_is_in_one_wave_in_order(count: int, first: int, shares: tuple[float, ...]) -> None:
    boxes = [f"box-{number}" for number in range(count)]
    plan = plan_waves(boxes, WaveRule(first_boxes=first, shares=shares))
    assert [box for wave in plan for box in wave] == boxes
    assert all(plan)
    assert len(plan[0]) == min(first, count)


def test_a_fleet_goes_one_a_tenth_a_half_all() -> None:
    plan = plan_waves([str(number) for number in range(100)], WaveRule())
    assert [len(wave) for wave in plan] == [1, 9, 40, 50]


def test_it_starts_with_the_first_wave() -> None:
    assert decide(PLAN, 0, {}, RULE, NOW) == Decision(Advice.START, 1, ("a",))


@pytest.mark.parametrize(
    "standing",
    [
        Standing.WAITING,
        Standing.TRYING,
        Standing.AWAY,
        Report(Standing.WELL, NOW - timedelta(seconds=3599)),
        Report(Standing.WELL),
    ],
)
def test_the_next_wave_waits_for_every_box_of_the_one_before(standing: Standing | Report) -> None:
    said = reports(a=WELL, b=WELL, c=standing)
    assert decide(PLAN, 2, said, RULE, NOW) == Decision(Advice.WAIT, 2, ("c",))


def test_a_box_without_a_report_is_waited_for() -> None:
    assert decide(PLAN, 1, {}, RULE, NOW) == Decision(Advice.WAIT, 1, ("a",))


def test_the_next_wave_starts_when_all_have_been_well_for_long_enough() -> None:
    assert decide(PLAN, 1, reports(a=WELL), RULE, NOW) == Decision(Advice.START, 2, ("b", "c"))


def test_it_is_done_when_all_are_well() -> None:
    assert decide(PLAN, 3, dict.fromkeys("abcdef", WELL), RULE, NOW) == Decision(Advice.DONE, 3)


def test_too_many_failures_stop_it_whatever_the_others_say() -> None:
    said = reports(a=WELL, b=Standing.FAILED, c=Standing.TRYING)
    assert decide(PLAN, 2, said, RULE, NOW) == Decision(Advice.STOP, 2, ("b",))


def test_allowed_failures_hold_nobody_up() -> None:
    rule = WaveRule(healthy_s=3600.0, allowed_failures=1)
    assert decide(PLAN, 2, reports(a=WELL, b=Standing.FAILED, c=WELL), rule, NOW).advice is Advice.START
    assert decide(PLAN, 2, reports(a=WELL, b=Standing.FAILED, c=Standing.FAILED), rule, NOW).advice is Advice.STOP


def test_what_fails_in_a_wave_that_was_not_started_is_not_its_fault() -> None:
    assert decide(PLAN, 1, reports(a=WELL, f=Standing.FAILED), RULE, NOW).advice is Advice.START
