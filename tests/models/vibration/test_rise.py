"""A machine is compared with itself: velocity by the standard's ALARM, acceleration by a doubling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.models.types.vibration import MachineClass
from andon.models.vibration.rise import OwnLevels, has_risen, own_levels

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
    assert has_risen(levels(now), OwnLevels(own, None), RIGID) is risen


@given(st.floats(1e-3, 1e3), st.floats(0, 4))
def test_acceleration_rises_when_it_doubles(own: float, factor: float) -> None:
    for machine_class in (None, RIGID):
        assert has_risen(levels(None, own * factor), OwnLevels(None, own), machine_class) is (own * factor > 2 * own)


def test_either_is_enough() -> None:
    own = OwnLevels(1.0, 1.0)
    assert has_risen(levels(1.0, 2.5), own, RIGID)
    assert has_risen(levels(2.0, 1.0), own, RIGID)
    assert not has_risen(levels(1.5, 1.9), own, RIGID)


def test_what_is_not_known_has_not_risen() -> None:
    assert not has_risen(levels(50.0), OwnLevels(1.0, None), None), "without a class there is no ALARM"
    assert not has_risen(levels(50.0, 50.0), OwnLevels(None, None), RIGID)
    assert not has_risen(levels(), OwnLevels(1.0, 1.0), RIGID)
    assert not has_risen({}, OwnLevels(1.0, 1.0), RIGID)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_more_is_never_less(own: float, now: float, more: float) -> None:
    levels_now, levels_more = levels(now, now), levels(now + more, now + more)
    known = OwnLevels(own, own)
    assert has_risen(levels_more, known, RIGID) >= has_risen(levels_now, known, RIGID)
