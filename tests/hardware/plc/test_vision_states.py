"""The states of OPC 40100-1: every way is one of the table, and every output has a state."""

from itertools import pairwise, product

import pytest

from andon.hardware.plc.vision_states import TRANSITIONS, VisionState, path, state_of, top_level
from andon.models.types.line import LineFault, LineOutputs


@pytest.mark.parametrize(("now", "goal"), [*product(VisionState, VisionState)])
def test_every_way_goes_by_transitions_of_the_table(now: VisionState, goal: VisionState) -> None:
    way = (now, *path(now, goal))
    assert way[-1] is goal
    assert all(following in TRANSITIONS[state] for state, following in pairwise(way))


@pytest.mark.parametrize("state", VisionState)
def test_a_halted_system_is_operational_only_by_way_of_preoperational(state: VisionState) -> None:
    way = path(VisionState.HALTED, state)
    assert way == () or way[0] is VisionState.PREOPERATIONAL


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (LineOutputs(), VisionState.PREOPERATIONAL),
        (LineOutputs(fault=LineFault.STOPPED), VisionState.HALTED),
        (LineOutputs(fault=LineFault.CAMERA), VisionState.ERROR),
        (LineOutputs(trigger_ready=True, fault=LineFault.NONE), VisionState.READY),
        (LineOutputs(busy=True, fault=LineFault.NONE), VisionState.SINGLE_EXECUTION),
        (LineOutputs(results_ready=True, fault=LineFault.NONE), VisionState.READY),
        (LineOutputs(results_ready=True, fault=LineFault.RECIPE), VisionState.READY),
    ],
)
def test_what_a_station_says_has_a_state(said: LineOutputs, state: VisionState) -> None:
    assert state_of(said, VisionState.SINGLE_EXECUTION) is state


def test_a_station_in_error_stays_there_while_it_answers() -> None:
    assert state_of(LineOutputs(results_ready=True, fault=LineFault.CAMERA), VisionState.ERROR) is VisionState.ERROR


def test_what_goes_on_within_automatic_mode_is_operational() -> None:
    assert [top_level(state) for state in VisionState][3:] == ["Operational"] * 4
