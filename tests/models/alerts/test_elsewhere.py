"""What a box says of its case is weighed against what people decided on it meanwhile."""

from dataclasses import replace

import pytest
from tests.datasets.store.machines import at, later, raised

from andon.models.alerts.case import AlertEvent, CaseState
from andon.models.alerts.elsewhere import Weighed, weigh

RAISED = raised(10)
OPEN, ACKNOWLEDGED, RESOLVED = CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.RESOLVED
REMINDER, ESCALATED, CLEARED = AlertEvent.REMINDER, AlertEvent.ESCALATED, AlertEvent.CLEARED


def test_what_is_not_known_is_taken_as_it_is() -> None:
    assert weigh(None, RAISED) == Weighed(RAISED.case, is_told=True)


@pytest.mark.parametrize(
    ("kept", "event", "state", "is_told", "is_reopened"),
    [
        (OPEN, REMINDER, OPEN, True, False),
        (OPEN, ESCALATED, OPEN, True, False),
        (OPEN, CLEARED, RESOLVED, True, False),
        (ACKNOWLEDGED, REMINDER, ACKNOWLEDGED, False, False),
        (ACKNOWLEDGED, ESCALATED, OPEN, True, False),
        (ACKNOWLEDGED, CLEARED, RESOLVED, True, False),
        (RESOLVED, REMINDER, RESOLVED, False, False),
        (RESOLVED, ESCALATED, OPEN, True, True),
        (RESOLVED, CLEARED, RESOLVED, False, False),
    ],
)
def test_what_people_decided_holds(
    kept: CaseState, event: AlertEvent, state: CaseState, is_told: bool, is_reopened: bool
) -> None:
    """Somebody decided at 20 s; the box saw the fault last at 10 s."""
    decided = replace(RAISED.case, state=kept, notified=at(20))
    found = weigh(decided, later(RAISED, event, 30, n=9))
    assert (found.case.state, found.is_told, found.is_reopened) == (state, is_told, is_reopened)
    assert found.case.n == 9


@pytest.mark.parametrize(("seen", "state"), [(20, RESOLVED), (21, OPEN)])
def test_a_fault_that_is_still_there_opens_again_what_was_resolved(seen: int, state: CaseState) -> None:
    resolved = replace(RAISED.case, state=RESOLVED, notified=at(20))
    first = weigh(resolved, later(RAISED, REMINDER, 30)).case
    found = weigh(first, later(RAISED, REMINDER, 40, last_seen=at(seen)))
    assert (found.case.state, found.is_told, found.is_reopened) == (state, state is OPEN, state is OPEN)
