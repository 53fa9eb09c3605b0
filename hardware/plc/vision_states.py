"""States of a vision system after OPC 40100-1 (OPC UA for Machine Vision, part 1, clauses 8.2 and 8.3), as a table.

A station is in automatic mode whenever it is operational. It works one part at a time: *ContinuousExecution* is in the table because it is in
the standard, and no station enters it.
"""

from collections.abc import Iterator
from enum import StrEnum

from andon.models.types.line import LineFault, LineOutputs


class VisionState(StrEnum):
    """Top-level states, and in place of *Operational* those of automatic mode within it."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE_EXECUTION = "SingleExecution"
    CONTINUOUS_EXECUTION = "ContinuousExecution"


OPERATIONAL = "Operational"
AUTOMATIC_STATES = frozenset(
    (VisionState.INITIALIZED, VisionState.READY, VisionState.SINGLE_EXECUTION, VisionState.CONTINUOUS_EXECUTION)
)
STATE_NUMBERS = {VisionState.PREOPERATIONAL: 1, VisionState.HALTED: 2, VisionState.ERROR: 3, OPERATIONAL: 4}
"""``StateNumber`` of the top-level states (table 82)."""

_ANYWHERE = (VisionState.PREOPERATIONAL, VisionState.HALTED, VisionState.ERROR)
"""Where *Operational* may be left for, from whichever state within it."""

TRANSITIONS = {
    VisionState.PREOPERATIONAL: (VisionState.HALTED, VisionState.ERROR, VisionState.INITIALIZED),
    VisionState.HALTED: (VisionState.PREOPERATIONAL,),
    VisionState.ERROR: (VisionState.PREOPERATIONAL, VisionState.HALTED, VisionState.INITIALIZED),
    VisionState.INITIALIZED: (VisionState.READY, *_ANYWHERE),
    VisionState.READY: (
        VisionState.INITIALIZED,
        VisionState.SINGLE_EXECUTION,
        VisionState.CONTINUOUS_EXECUTION,
        *_ANYWHERE,
    ),
    VisionState.SINGLE_EXECUTION: (VisionState.READY, *_ANYWHERE),
    VisionState.CONTINUOUS_EXECUTION: (VisionState.READY, *_ANYWHERE),
}
"""Where each state may go; the fault that ends *Operational* ends what goes on within it."""


def top_level(state: VisionState) -> str:
    """Return the state of ``VisionStateMachine``."""
    return OPERATIONAL if state in AUTOMATIC_STATES else state


def state_of(outputs: LineOutputs, now: VisionState) -> VisionState:
    """Return the state that a station is in by what it tells the PLC, ``now`` being the one before.

    A fault that belongs to the answer for one part does not end *Operational*: it is one of the station itself only where it lasts without one.
    """
    if outputs.busy:
        return VisionState.SINGLE_EXECUTION
    if outputs.results_ready:
        return VisionState.READY if now in AUTOMATIC_STATES else now
    match outputs.fault:
        case LineFault.NONE:
            return VisionState.READY
        case LineFault.STARTING:
            return VisionState.PREOPERATIONAL
        case LineFault.STOPPED:
            return VisionState.HALTED
        case _:
            return VisionState.ERROR


def path(now: VisionState, goal: VisionState) -> tuple[VisionState, ...]:
    """Return the states to go through to ``goal``, by as few transitions as there can be.

    >>> [str(each) for each in path(VisionState.HALTED, VisionState.READY)]
    ['Preoperational', 'Initialized', 'Ready']
    """
    routes: dict[VisionState, tuple[VisionState, ...]] = {now: ()}
    for state, following in _reached(now, routes):
        routes.setdefault(following, (*routes[state], following))
    return routes[goal]


def _reached(
    now: VisionState, routes: dict[VisionState, tuple[VisionState, ...]]
) -> Iterator[tuple[VisionState, VisionState]]:
    """Deliver every transition, nearest first."""
    waiting = [now]
    for state in waiting:
        for following in TRANSITIONS[state]:
            if following not in routes:
                waiting.append(following)
            yield state, following
