"""An update as a pure step: what happened goes in, where the update stands comes out.

::

    idle -> fetched -> checked -> shadow -> switching -> probation -> kept
               |          |         |           |            |
               `----------+---------+-----------'            `-> rolling back -> rolled back
                          `-> refused

A state that is ended (kept, refused, rolled back) stays until another version comes. ``fetched`` and ``checked`` do not outlive the process: what was
fetched is fetched again. A process that dies again and again while a version is tried counts against the version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Any

from andon.hardware.edge.updates.policy import UpdatePolicy
from andon.models.types.errors import Param
from andon.models.types.moments import as_text

OK = "OK"
"""The verdict that lets a part pass."""


class Phase(StrEnum):
    """Where an update stands."""

    IDLE = "idle"
    FETCHED = "fetched"
    CHECKED = "checked"
    SHADOW = "shadow"
    SWITCHING = "switching"
    PROBATION = "probation"
    ROLLING_BACK = "rolling_back"
    KEPT = "kept"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"


BEGUN = frozenset({Phase.FETCHED, Phase.CHECKED})
DECIDED = frozenset({Phase.SWITCHING, Phase.ROLLING_BACK})
ENDED = frozenset({Phase.IDLE, Phase.KEPT, Phase.ROLLED_BACK, Phase.REFUSED})


@dataclass(frozen=True, slots=True)
class UpdateState:
    """What is known of an update, and kept on disk.

    Parameters
    ----------
    since
        When the phase began, in UTC.
    digest
        The version it is about.
    former
        The version that ran when it came, and that a roll back leads to; None where none ran.
    before
        The version that a roll back would have led to then.
    parts, differing, lenient, errors, takt_misses
        Counted in this phase.
    starts
        Of the process after one that was not stopped in order, since the version came or took over.
    stopped
        Whether the process was stopped in order.
    by
        Where the version came from.
    reason, params
        Message code with its parameters: why it was refused or rolled back.
    """

    phase: Phase = Phase.IDLE
    since: datetime | None = None
    digest: str | None = None
    former: str | None = None
    before: str | None = None
    parts: int = 0
    differing: int = 0
    lenient: int = 0
    errors: int = 0
    takt_misses: int = 0
    starts: int = 0
    stopped: bool = False
    by: str = ""
    reason: str = ""
    params: Mapping[str, Param] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What a box says of it."""
        return {
            "phase": self.phase.value,
            "since": as_text(self.since) if self.since else None,
            "digest": self.digest,
            "parts": self.parts,
            "differing": self.differing,
            "errors": self.errors,
            "takt_misses": self.takt_misses,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version came; ``former`` runs, ``before`` ran before that."""

    digest: str
    former: str | None
    before: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be used: a message code with its parameters."""

    code: str
    params: Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class Compared:
    """Both versions judged a part; ``new`` is None where the new one could not."""

    old: str
    new: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """The new version judged a part, could not (``failed``), or did so too late."""

    failed: bool = False
    missed_takt: bool = False


class Happened(Enum):
    """What there is no more to say of."""

    CHECKED = auto()
    """The version's bytes are whole, a trusted key signed it, and it is newer than what was accepted."""

    PROVED = auto()
    """Its goldens are reproduced on this device."""

    SWITCHED = auto()
    """It is the one that runs."""

    WENT_BACK = auto()
    """The former version is the one that runs again."""

    TICKED = auto()
    """Time has passed."""

    STARTED = auto()
    """The process has started."""

    STOPPED = auto()
    """The process stops in order."""


Event = Fetched | Refused | Compared | Judged | Happened


def step(state: UpdateState, event: Event, policy: UpdatePolicy, now: datetime) -> UpdateState:
    """Take what happened, and return where the update stands. What does not belong to the phase changes nothing."""
    match event:
        case Fetched() if state.phase in ENDED:
            return _fetched(state, event, now)
        case Happened.STARTED:
            return _started(state, policy, now)
        case Happened.STOPPED:
            return replace(state, stopped=True)
        case _:
            return _tried(state, event, policy, now)


def _tried(state: UpdateState, event: Event, policy: UpdatePolicy, now: datetime) -> UpdateState:
    match state.phase, event:
        case Phase.FETCHED, Happened.CHECKED:
            return _enter(state, Phase.CHECKED, now)
        case Phase.CHECKED, Happened.PROVED:
            watched = state.former is not None and policy.shadow_parts > 0
            return _enter(state, Phase.SHADOW if watched else Phase.SWITCHING, now)
        case ((Phase.FETCHED | Phase.CHECKED | Phase.SHADOW | Phase.SWITCHING), Refused(code, params)):
            return replace(state, phase=Phase.REFUSED, since=now, reason=code, params=params)
        case Phase.SWITCHING, Happened.SWITCHED:
            return _enter(state, Phase.PROBATION if state.former else Phase.KEPT, now)
        case _:
            return _observed(state, event, policy, now)


def _observed(state: UpdateState, event: Event, policy: UpdatePolicy, now: datetime) -> UpdateState:
    match state.phase, event:
        case Phase.SHADOW, Compared():
            return _compared(state, event, policy, now)
        case Phase.PROBATION, (Judged() | Happened.TICKED):
            return _watched(state, event, policy, now)
        case Phase.ROLLING_BACK, Happened.WENT_BACK:
            return replace(state, phase=Phase.ROLLED_BACK, since=now)
        case _:
            return state


def _fetched(state: UpdateState, event: Fetched, now: datetime) -> UpdateState:
    again = state.phase is Phase.IDLE and state.digest == event.digest
    starts = state.starts if again else 0
    return UpdateState(Phase.FETCHED, now, event.digest, event.former, event.before, starts=starts, by=event.by)


def _enter(state: UpdateState, phase: Phase, now: datetime) -> UpdateState:
    """Begin a phase: what was counted in the one before is over."""
    starts = 0 if phase is Phase.PROBATION else state.starts
    return UpdateState(phase, now, state.digest, state.former, state.before, starts=starts, by=state.by)


def _ended(state: UpdateState, phase: Phase, now: datetime, reason: str, **params: Param) -> UpdateState:
    """End with the figures that led to it."""
    return replace(state, phase=phase, since=now, reason=reason, params=params)


def _compared(state: UpdateState, event: Compared, policy: UpdatePolicy, now: datetime) -> UpdateState:
    if event.new is None:
        return _ended(state, Phase.REFUSED, now, "update.shadow_failed", part=state.parts + 1)
    differs = event.new != event.old
    state = replace(
        state,
        parts=state.parts + 1,
        differing=state.differing + differs,
        lenient=state.lenient + (differs and event.new == OK),
    )
    if state.differing > policy.allowed_differing:
        found, allowed = state.differing, policy.allowed_differing
        return _ended(state, Phase.REFUSED, now, "update.differs", found=found, parts=state.parts, expected=allowed)
    if policy.allowed_lenient is not None and state.lenient > policy.allowed_lenient:
        found, allowed = state.lenient, policy.allowed_lenient
        return _ended(state, Phase.REFUSED, now, "update.lenient", found=found, parts=state.parts, expected=allowed)
    return _enter(state, Phase.SWITCHING, now) if state.parts >= policy.shadow_parts else state


def _watched(state: UpdateState, event: Judged | Happened, policy: UpdatePolicy, now: datetime) -> UpdateState:
    if isinstance(event, Judged):
        state = replace(
            state,
            parts=state.parts + 1,
            errors=state.errors + event.failed,
            takt_misses=state.takt_misses + event.missed_takt,
        )
    limits = {
        "update.errors": (state.errors, policy.allowed_errors),
        "update.takt_misses": (state.takt_misses, policy.allowed_takt_misses),
    }
    for reason, (found, allowed) in limits.items():
        if found > allowed:
            return _ended(state, Phase.ROLLING_BACK, now, reason, found=found, parts=state.parts, expected=allowed)
    over = state.since is None or now - state.since >= timedelta(seconds=policy.probation_s)
    return replace(state, phase=Phase.KEPT, since=now) if over and state.parts >= policy.probation_parts else state


def _started(state: UpdateState, policy: UpdatePolicy, now: datetime) -> UpdateState:
    """Count a start that nothing in order came before, where a version is being tried.

    What is being switched has been tried: it is brought to its end whatever else dies, for the disk may have switched already.
    """
    died = not state.stopped and state.phase not in ENDED
    state = replace(state, stopped=False, starts=state.starts + died)
    if died and state.starts > policy.allowed_starts and state.phase not in DECIDED:
        end = Phase.ROLLING_BACK if state.phase is Phase.PROBATION else Phase.REFUSED
        return _ended(state, end, now, "update.starts", found=state.starts, expected=policy.allowed_starts)
    return replace(state, phase=Phase.IDLE, since=now) if state.phase in BEGUN else state
