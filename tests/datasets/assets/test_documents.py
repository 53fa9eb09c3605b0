import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.datasets.assets.documents import bearing_frequencies, machine_document
from andon.models.types.vibration import Bearing, BearingOrders, Machine, MachineClass
from andon.models.vibration.bearings import find_bearing

ORDERS = BearingOrders(3.0, 5.0, 2.0, 0.4)


def test_faults_show_at_their_orders_times_the_speed_and_elements_at_twice_theirs() -> None:
    (bearing,) = machine_document(Machine(rpm=1500, bearings=(Bearing("DE", ORDERS, "drawing"),)))["bearings"]
    assert bearing["orders"] == {"bpfo": 3.0, "bpfi": 5.0, "bsf": 2.0, "ftf": 0.4}
    assert bearing["frequencies_hz"] == {"outer_race": 75, "inner_race": 125, "rolling_element": 100, "cage": 10}


def test_gears_blades_and_mains_have_their_lines() -> None:
    document = machine_document(Machine(rpm=3000, teeth=(23, 47), blades=6, line_hz=50))
    assert document["frequencies_hz"] == {
        "shaft": 50,
        "gear_mesh": [1150, 2350],
        "blade_pass": 300,
        "electrical": 100,
    }


def test_limits_are_those_of_the_class() -> None:
    document = machine_document(Machine(machine_class=MachineClass("iso10816-3", "2", "rigid")))
    assert document["machine_class"] == "iso10816-3:2:rigid"
    assert document["zone_limits"] == {
        "velocity_mm_s": {"a_b": 1.4, "b_c": 2.8, "c_d": 4.5},
        "displacement_um": {"a_b": 22, "b_c": 45, "c_d": 71},
    }


def test_what_is_not_known_is_none() -> None:
    document = machine_document(Machine("A", teeth=(23,), blades=6, bearings=(find_bearing("6205"),)))
    assert document["machine_class"] is document["zone_limits"] is None
    assert document["bearings"][0]["frequencies_hz"] is None
    assert set(document["frequencies_hz"].values()) == {None}


def test_it_is_json() -> None:
    machine = Machine("A", rpm=1480, machine_class=MachineClass("iso10816-1", "II"), bearings=(find_bearing("6205"),))
    document = machine_document(machine)
    assert json.loads(json.dumps(document, allow_nan=False))["zone_limits"]["displacement_um"] is None


@given(st.floats(0.1, 500), st.floats(0.1, 10))
def test_frequencies_rise_with_the_speed(shaft_hz: float, factor: float) -> None:
    slow, fast = (bearing_frequencies(ORDERS, each) for each in (shaft_hz, shaft_hz * factor))
    assert fast == pytest.approx({fault: frequency * factor for fault, frequency in slow.items()})
