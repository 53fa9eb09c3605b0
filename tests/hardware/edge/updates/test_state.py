"""An update as a pure step."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.hardware.edge.updates.state import (
    Compared,
    Event,
    Fetched,
    Happened,
    Judged,
    Phase,
    Refused,
    UpdateState,
    step,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
POLICY = UpdatePolicy(
    shadow_parts=5,
    allowed_differing=2,
    allowed_lenient=1,
    probation_parts=4,
    probation_s=60.0,
    allowed_errors=1,
    allowed_takt_misses=2,
    allowed_starts=2,
)
NEW = Fetched("new", "old", "older", "source")
OK, NG = "OK", "NG"


def after(
    *events: Event, state: UpdateState | None = None, at_s: float = 0.0, policy: UpdatePolicy = POLICY
) -> UpdateState:
    state = UpdateState() if state is None else state
    for event in events:
        state = step(state, event, policy, NOW + timedelta(seconds=at_s))
    return state


SHADOW: tuple[Event, ...] = (NEW, Happened.CHECKED, Happened.PROVED)
SWITCHING: tuple[Event, ...] = (*SHADOW, *[Compared(OK, OK)] * 5)
PROBATION: tuple[Event, ...] = (*SWITCHING, Happened.SWITCHED)


def test_a_good_version_goes_all_the_way() -> None:
    assert after(NEW).phase is Phase.FETCHED
    assert after(NEW, Happened.CHECKED).phase is Phase.CHECKED
    assert after(*SHADOW).phase is Phase.SHADOW
    assert after(*SHADOW, *[Compared(OK, OK)] * 4).phase is Phase.SHADOW
    assert after(*SWITCHING).phase is Phase.SWITCHING
    assert after(*PROBATION).phase is Phase.PROBATION
    kept = after(*[Judged()] * 4, state=after(*PROBATION), at_s=60)
    assert (kept.phase, kept.digest, kept.former, kept.reason) == (Phase.KEPT, "new", "old", "")


def test_the_first_version_has_nothing_to_be_compared_with() -> None:
    first: tuple[Event, ...] = (Fetched("new", None, None, "source"), Happened.CHECKED, Happened.PROVED)
    assert after(*first).phase is Phase.SWITCHING
    assert after(*first, Happened.SWITCHED).phase is Phase.KEPT


def test_without_a_shadow_it_switches_at_once() -> None:
    assert after(*SHADOW, policy=UpdatePolicy(shadow_parts=0)).phase is Phase.SWITCHING


@pytest.mark.parametrize("before", [(NEW,), (NEW, Happened.CHECKED), SHADOW, SWITCHING])
def test_it_is_refused_with_the_reason_before_it_runs(before: tuple[Event, ...]) -> None:
    refused = after(*before, Refused("bundle.parity", {"subject": "x"}))
    assert (refused.phase, refused.reason, refused.params) == (Phase.REFUSED, "bundle.parity", {"subject": "x"})


@pytest.mark.parametrize(
    ("seen", "reason", "params"),
    [
        ([Compared(OK, NG)] * 3, "update.differs", {"found": 3, "parts": 3, "expected": 2}),
        ([Compared(NG, OK)] * 2, "update.lenient", {"found": 2, "parts": 2, "expected": 1}),
        ([Compared(NG, "RETAKE")] * 3, "update.differs", {"found": 3, "parts": 3, "expected": 2}),
        ([Compared(OK, OK), Compared(OK, None)], "update.shadow_failed", {"part": 2}),
    ],
)
def test_a_version_that_disagrees_never_decides(seen: list[Event], reason: str, params: dict[str, Any]) -> None:
    assert after(*SHADOW, *seen[:-1]).phase is Phase.SHADOW
    refused = after(*SHADOW, *seen)
    assert (refused.phase, refused.reason, refused.params) == (Phase.REFUSED, reason, params)


def test_what_may_differ_may_differ() -> None:
    seen = [Compared(OK, NG), Compared(NG, OK), *[Compared(NG, NG)] * 3]
    assert after(*SHADOW, *seen).phase is Phase.SWITCHING


def test_lenient_verdicts_count_as_differing_alone_where_nothing_else_is_said() -> None:
    policy = UpdatePolicy(shadow_parts=5, allowed_differing=2)
    assert after(*SHADOW, *[Compared(NG, OK)] * 2, policy=policy).phase is Phase.SHADOW


@pytest.mark.parametrize(
    ("seen", "reason", "params"),
    [
        ([Judged(failed=True)] * 2, "update.errors", {"found": 2, "parts": 2, "expected": 1}),
        ([Judged(missed_takt=True)] * 3, "update.takt_misses", {"found": 3, "parts": 3, "expected": 2}),
    ],
)
def test_a_version_that_fails_is_rolled_back_at_once(seen: list[Event], reason: str, params: dict[str, Any]) -> None:
    assert after(*PROBATION, *seen[:-1]).phase is Phase.PROBATION
    back = after(*PROBATION, *seen)
    assert (back.phase, back.reason, back.params) == (Phase.ROLLING_BACK, reason, params)
    done = after(Happened.WENT_BACK, state=back)
    assert (done.phase, done.reason, done.former, done.before) == (Phase.ROLLED_BACK, reason, "old", "older")


def test_probation_needs_both_parts_and_time() -> None:
    on_probation = after(*PROBATION)
    assert after(*[Judged()] * 9, state=on_probation, at_s=59).phase is Phase.PROBATION
    assert after(*[Judged()] * 3, Happened.TICKED, state=on_probation, at_s=3600).phase is Phase.PROBATION
    judged = after(*[Judged()] * 4, state=on_probation, at_s=59)
    assert after(Happened.TICKED, state=judged, at_s=60).phase is Phase.KEPT


@pytest.mark.parametrize(
    ("before", "end"),
    [((NEW,), "refused"), ((NEW, Happened.CHECKED), "refused"), (SHADOW, "refused"), (PROBATION, "rolling_back")],
)
def test_a_process_that_dies_again_and_again_condemns_the_version(before: tuple[Event, ...], end: str) -> None:
    state = after(*before)
    for start in range(1, 3):
        state = after(Happened.STARTED, state=state)
        assert state.phase.value != end, start
        state = after(NEW, Happened.CHECKED if len(before) > 1 else Happened.TICKED, state=state)
    state = after(Happened.STARTED, state=state)
    assert (state.phase.value, state.reason) == (end, "update.starts")
    assert state.params == {"found": 3, "expected": 2}


def test_what_is_being_switched_is_brought_to_its_end_whatever_dies() -> None:
    """The disk may have switched already: a version that runs is watched, and never said to be refused."""
    state = after(*SWITCHING, *[Happened.STARTED] * 9)
    assert (state.phase, state.starts) == (Phase.SWITCHING, 9)
    watched = after(Happened.SWITCHED, state=state)
    assert (watched.phase, watched.starts) == (Phase.PROBATION, 0)


def test_a_process_that_was_stopped_in_order_does_not() -> None:
    state = after(*PROBATION)
    for _ in range(9):
        state = after(Happened.STOPPED, Happened.STARTED, state=state)
    assert (state.phase, state.starts) == (Phase.PROBATION, 0)


def test_what_was_fetched_is_fetched_again_by_the_next_process() -> None:
    for before in ((NEW,), (NEW, Happened.CHECKED)):
        assert after(*before, Happened.STARTED).phase is Phase.IDLE


def test_another_version_has_its_own_starts() -> None:
    died = after(NEW, Happened.STARTED, NEW, Happened.STARTED)
    assert died.starts == 2
    assert after(Fetched("newer", "old", None, ""), state=died).starts == 0


EVENTS: list[Event] = [
    NEW,
    Happened.CHECKED,
    Happened.PROVED,
    Refused("x", {}),
    Compared(OK, OK),
    Compared(OK, NG),
    Compared(NG, OK),
    Compared(OK, None),
    Happened.SWITCHED,
    Judged(),
    Judged(failed=True),
    Judged(missed_takt=True),
    Happened.TICKED,
    Happened.STARTED,
    Happened.STOPPED,
    Happened.WENT_BACK,
]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 100)), max_size=60))
def test_whatever_happens_it_decides_only_after_its_shadow(happened: list[tuple[Event, float]]) -> None:
    """It runs only after enough parts in the shadow, and what is kept on disk is read back as it was."""
    state, at_s, compared = UpdateState(), 0.0, 0
    for event, passed_s in happened:
        at_s += passed_s
        before, state = state, after(event, state=state, at_s=at_s)
        compared = compared + 1 if before.phase is Phase.SHADOW and isinstance(event, Compared) else compared
        compared = 0 if state.phase is Phase.FETCHED else compared
        if state.phase in (Phase.SWITCHING, Phase.PROBATION, Phase.KEPT, Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            assert compared >= POLICY.shadow_parts
            assert state.former == "old"
        if state.phase in (Phase.REFUSED, Phase.ROLLED_BACK):
            assert state.reason
        if state.phase is Phase.REFUSED and event is Happened.STARTED:
            assert before.phase in (Phase.REFUSED, Phase.FETCHED, Phase.CHECKED, Phase.SHADOW), (
                "nothing of it is in place"
            )
        assert msgspec.json.decode(msgspec.json.encode(state), type=UpdateState) == state
