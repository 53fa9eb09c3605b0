"""A machine is compared with itself: velocity by the standard's ALARM, acceleration by a doubling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.vibration import MachineClass
from andon.models.vibration.rise import OwnLevels, Rise, own_levels, rise_over

RIGID = MachineClass("iso10816-3", "2", "rigid")
"""The limit between zones B and C is 2.8 mm/s: ALARM is 0.7 mm/s above the machine's own level, and at most 3.5."""


def levels(velocity_mm_s: float | None = None, acceleration_m_s2: float | None = None) -> dict[str, float | None]:
    return {"velocity_rms_mm_s": velocity_mm_s, "rms_m_s2": acceleration_m_s2, "crest": 100.0}


def test_own_levels_are_those_of_a_record_in_good_condition() -> None:
    assert own_levels(levels(1.2, 3.4)) == OwnLevels(1.2, 3.4)
    assert own_levels({}) == own_levels(levels()) == OwnLevels(None, None)


@pytest.mark.parametrize(
    ("own", "now", "risen"),
    [
        (1.0, 1.69, False),
        (1.0, 1.71, True),
        (2.7, 3.39, False),
        (2.7, 3.41, True),
        (3.2, 3.49, False),
        (3.2, 3.51, True),
    ],
)
def test_velocity_rises_above_the_alarm_of_the_standard(own: float, now: float, risen: bool) -> None:
    """A quarter of 2.8 mm/s above its own level, but never beyond 1.25 times 2.8 mm/s."""
    assert rise_over(OwnLevels(own, None), levels(now), RIGID) == Rise(risen, None)


@given(st.floats(1e-3, 1e3), st.floats(0, 4))
def test_where_no_standard_sets_a_limit_a_doubling_is_a_rise(own: float, factor: float) -> None:
    """Acceleration always, velocity of a machine without a class."""
    risen = own * factor > 2 * own
    assert rise_over(OwnLevels(own, own), levels(own * factor, own * factor), None) == Rise(risen, risen)
    assert rise_over(OwnLevels(None, own), levels(None, own * factor), RIGID) == Rise(None, risen)


def test_each_is_judged_by_itself_and_any_counts() -> None:
    own = OwnLevels(1.0, 1.0)
    assert rise_over(own, levels(1.0, 2.5), RIGID) == Rise(False, True)
    assert rise_over(own, levels(2.0, 1.0), RIGID) == Rise(True, False)
    assert rise_over(own, levels(1.5, 1.9), RIGID) == Rise(False, False)
    assert Rise(True, False).any
    assert Rise(None, True).any
    assert not Rise(False, None).any


def test_what_is_not_known_has_not_risen() -> None:
    for own, now in (
        (OwnLevels(None, None), levels(50.0, 50.0)),
        (OwnLevels(1.0, 1.0), levels()),
        (OwnLevels(1.0, 1.0), {}),
    ):
        assert rise_over(own, now, RIGID) == Rise() == Rise(None, None)
    assert not Rise().any


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_more_is_never_less(own: float, now: float, more: float) -> None:
    known = OwnLevels(own, own)
    lower, higher = (rise_over(known, levels(each, each), RIGID) for each in (now, now + more))
    assert bool(higher.velocity) >= bool(lower.velocity)
    assert bool(higher.acceleration) >= bool(lower.acceleration)
