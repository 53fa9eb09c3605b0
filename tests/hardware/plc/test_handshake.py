"""The station's side of the handshake: every trigger gets one answer, and no part gets another's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.plc.handshake import (
    Acknowledged,
    Answer,
    Handshake,
    Phase,
    Refused,
    Trigger,
    answered,
    outputs,
    step,
)
from andon.models.types.line import LineFault, LineInputs, VerdictCode

READY = Handshake(fault=LineFault.NONE, recipe=1)
NOTHING = LineInputs()
ASKED = LineInputs(trigger=True, trigger_count=7, serial="A1")
TRIGGER = Trigger(7, 0, "A1")
GOOD = Answer(TRIGGER, VerdictCode.OK, score=0.25, threshold=0.5)


def test_a_part_goes_through_all_of_it() -> None:
    assert outputs(READY, 3).trigger_ready
    busy, event = step(READY, ASKED)
    assert event == TRIGGER
    said = outputs(busy, 4)
    assert (said.trigger_ready, said.busy, said.results_ready, said.heartbeat) == (False, True, False, 4)
    told = answered(busy, GOOD)
    said = outputs(told, 5)
    assert (said.busy, said.results_ready, said.ok, said.ng, said.error) == (False, True, True, False, False)
    assert (said.verdict, said.trigger_count, said.score, said.threshold) == (VerdictCode.OK, 7, 0.25, 0.5)
    assert step(told, ASKED) == (told, None)
    released, event = step(told, LineInputs(results_ack=True))
    assert event == Acknowledged(7)
    said = outputs(released, 6)
    assert (said.results_ready, said.ok, said.verdict, said.trigger_count) == (False, False, VerdictCode.NONE, 7)
    assert step(released, LineInputs(results_ack=True))[0].phase is Phase.RELEASING
    ready, event = step(released, NOTHING)
    assert outputs(ready, 7).trigger_ready
    assert event is None


@pytest.mark.parametrize("verdict", [VerdictCode.NG, VerdictCode.RETAKE, VerdictCode.ERROR])
def test_what_is_not_ok_reads_as_ng(verdict: VerdictCode) -> None:
    said = outputs(answered(READY, replace(GOOD, verdict=verdict)), 0)
    assert (said.ok, said.ng, said.error) == (False, True, verdict is VerdictCode.ERROR)


@pytest.mark.parametrize("fault", [each for each in LineFault if each not in (LineFault.NONE, LineFault.STARTING)])
def test_a_station_that_cannot_judge_says_so_at_once(fault: LineFault) -> None:
    broken = replace(READY, fault=fault)
    assert not outputs(broken, 0).trigger_ready
    told, event = step(broken, ASKED)
    assert event == Refused(TRIGGER, fault)
    said = outputs(told, 0)
    assert (said.results_ready, said.ng, said.error, said.fault, said.trigger_count) == (True, True, True, fault, 7)


def test_a_station_that_starts_lets_the_trigger_wait() -> None:
    starting = Handshake(recipe=1)
    assert step(starting, ASKED) == (starting, None)
    assert step(replace(starting, fault=LineFault.NONE), ASKED)[1] == TRIGGER


def test_an_answer_that_was_not_taken_is_given_again_and_not_found_anew() -> None:
    restarted = replace(READY, answer=GOOD)
    told, event = step(restarted, ASKED)
    assert event is None
    assert outputs(told, 0).ok


def test_an_answer_that_was_taken_is_not_given_to_the_next_part_of_the_same_count() -> None:
    assert step(replace(READY, answer=GOOD, is_taken=True), ASKED)[1] == TRIGGER


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ANSWERED])
def test_another_part_under_the_same_count_does_not_get_the_answer(phase: Phase) -> None:
    told, event = step(replace(READY, answer=GOOD, phase=phase), replace(ASKED, serial="A2"))
    assert event == Refused(Trigger(7, 0, "A2"), LineFault.MISSED_TRIGGER)
    said = outputs(told, 0)
    assert (said.ok, said.ng, said.error) == (False, True, True)
    assert step(told, replace(ASKED, serial="A2")) == (told, None)


def test_a_trigger_without_a_count_is_refused() -> None:
    assert step(READY, replace(ASKED, trigger_count=0))[1] == Refused(Trigger(0, 0, "A1"), LineFault.MISSED_TRIGGER)


def test_a_plc_may_be_quicker_than_the_station_sees() -> None:
    released, _ = step(answered(READY, GOOD), LineInputs(results_ack=True))
    assert step(released, ASKED) == (released, None)
    assert step(released, replace(ASKED, trigger_count=8))[1] == Trigger(8, 0, "A1")


def test_a_trigger_before_the_last_answer_was_taken_is_answered_with_error() -> None:
    told, event = step(answered(READY, GOOD), replace(ASKED, trigger_count=8))
    assert event == Refused(Trigger(8, 0, "A1"), LineFault.MISSED_TRIGGER)
    assert outputs(told, 0).trigger_count == 8


INPUTS = st.builds(
    LineInputs,
    trigger=st.booleans(),
    trigger_count=st.integers(0, 3),
    results_ack=st.booleans(),
    recipe=st.integers(0, 2),
    serial=st.sampled_from(["", "A"]),
)


@given(st.lists(INPUTS, max_size=60))
def test_whatever_a_plc_does_no_part_passes_that_was_not_found_good(said: list[LineInputs]) -> None:
    """Every OK is shown under the count that was judged, and only once a judgement was asked for."""
    state, judged = READY, set[int]()
    for inputs in said:
        state, event = step(state, inputs)
        if isinstance(event, Trigger):
            judged.add(event.count)
            state = answered(state, Answer(event, VerdictCode.OK))
        told = outputs(state, 0)
        assert told.ok + told.ng == told.results_ready
        if told.ok:
            assert told.trigger_count in judged
            assert state.answer is not None
            assert state.answer.trigger.count == told.trigger_count
