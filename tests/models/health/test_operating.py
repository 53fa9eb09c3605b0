"""When a machine may be judged."""

import numpy as np
import pytest

from andon.models.health.operating import Operating, Row, operate, state_name
from andon.models.health.settings import GateSettings, OperatingAxis

SPEED = OperatingAxis("rpm", edges=(1000.0, 2000.0), stopped_below=50.0, max_step=100.0)
LOAD = OperatingAxis("load_percent", edges=(50.0,))
GATE = GateSettings((SPEED, LOAD), settle_rows=2)


def states(gate: GateSettings, rows: list[Row]) -> list[str]:
    operating, found = Operating(), []
    for row in rows:
        operating = operate(gate, operating, row)
        found.append(state_name(gate, operating))
    return found


def at(rpm: float | None, load: float | None = 80.0) -> Row:
    return {"rpm": rpm, "load_percent": load}


def test_without_a_gate_a_machine_runs_from_its_first_row() -> None:
    assert states(GateSettings(), [{}, {}]) == ["running", "running"]


def test_speed_and_load_make_bins_and_an_edge_belongs_to_the_upper_one() -> None:
    gate = GateSettings((SPEED, LOAD))
    assert states(gate, [at(999.9, 50.0)]) == ["running/rpm:0/load_percent:1"]
    assert states(gate, [at(1000.0, 49.9)]) == ["running/rpm:1/load_percent:0"]
    assert states(gate, [at(9000.0)]) == ["running/rpm:2/load_percent:1"]


def test_a_start_is_a_transient_until_the_machine_has_settled() -> None:
    ramp = [at(0), at(20), at(90), at(180), at(270), at(270), at(270)]
    assert states(GATE, ramp) == ["stopped"] * 2 + ["transient"] * 2 + ["running/rpm:0/load_percent:1"] * 3


def test_a_jump_within_a_bin_is_a_transient_too() -> None:
    found = states(GATE, [at(rpm) for rpm in (300, 300, 300, 600, 600, 600)])
    assert [name == "transient" for name in found] == [True, True, False, True, True, False]


def test_crossing_an_edge_is_a_transient_and_stopping_is_known_at_once() -> None:
    found = states(GATE, [at(990), at(990), at(990), at(1010), at(1010), at(1010), at(0)])
    assert found[2:] == [
        "running/rpm:0/load_percent:1",
        "transient",
        "transient",
        "running/rpm:1/load_percent:1",
        "stopped",
    ]


@pytest.mark.parametrize("absent", [None, np.nan, np.inf])
def test_without_its_measures_the_state_is_unknown_and_the_machine_settles_anew(absent: float | None) -> None:
    found = states(GATE, [at(300), at(300), at(300), at(absent), at(300), at(300), at(300)])
    assert found[3:] == ["unknown", "transient", "transient", "running/rpm:0/load_percent:1"]


def test_a_row_that_lacks_a_measure_is_unknown() -> None:
    assert states(GATE, [{"rpm": 300.0}]) == ["unknown"]
