"""Machines that turn only a few times during a record, or not once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.types.vibration import Fault, Machine, MachineClass, Signal, Unit
from andon.models.vibration.diagnosis import PhysicsDiagnoser
from andon.models.vibration.shaft_speed import shaft_speed

NOISE = np.random.default_rng(0).normal(0, 0.1, 4096)
RATE_HZ = 2048.0
KILN = Machine(machine_class=MachineClass("iso10816-3", "2", "rigid"))


@given(st.floats(-12, 3).map(lambda exponent: 10.0**exponent))
@settings(max_examples=40, deadline=None)
def test_any_speed_gives_a_diagnosis(rpm: float) -> None:
    found = PhysicsDiagnoser().diagnose(Signal(NOISE, RATE_HZ, Unit.G, rpm=rpm), KILN)
    assert found.fault in (Fault.NONE, Fault.UNKNOWN)
    assert found.rpm == pytest.approx(rpm, rel=0.03)


@pytest.mark.parametrize("turns", [1e-9, 0.5, 1.0, 1.9])
def test_a_measured_speed_of_less_than_two_turns_is_taken_as_it_is(turns: float) -> None:
    signal = Signal(NOISE, RATE_HZ, Unit.G, rpm=60 * turns * RATE_HZ / len(NOISE))
    speed = shaft_speed(signal, KILN)
    assert speed is not None
    assert speed.source == "measured"
    assert speed.hz == pytest.approx(turns / signal.duration_s)


def test_a_nameplate_speed_of_less_than_two_turns_is_not_found_in_the_record() -> None:
    assert shaft_speed(Signal(NOISE, RATE_HZ, Unit.G), Machine(rpm=30.0)) is None
