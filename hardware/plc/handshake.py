"""The station's side of the handshake with a PLC, as a pure step: what the PLC says goes in, what the station says comes out.

See ``andon.models.types.line`` for the sequence. A trigger that comes again under the count of an answer that was not taken gets the same answer
and is not judged again, so that a PLC may repeat what a broken connection or a station that was started anew has lost. Under another serial it is
another part's, and gets no other part's answer. A trigger that cannot be judged is answered with ERROR at once.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from andon.models.types.line import LineFault, LineInputs, LineOutputs, VerdictCode


class Phase(Enum):
    """Where the handshake stands."""

    IDLE = auto()
    BUSY = auto()
    ANSWERED = auto()
    RELEASING = auto()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A part that the PLC asks about."""

    count: int
    recipe: int
    serial: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The PLC has taken an answer."""

    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A part that could not be judged: its trigger was answered with ERROR."""

    trigger: Trigger
    fault: LineFault


Event = Trigger | Acknowledged | Refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What the PLC is told of a part."""

    trigger: Trigger
    verdict: VerdictCode
    fault: LineFault = LineFault.NONE
    score: float = 0.0
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Handshake:
    """The state of a station.

    Parameters
    ----------
    fault
        Why it takes no trigger; NONE where it does.
    recipe
        Number of the recipe that is active.
    answer
        The last one that was given, also by a process before this one.
    is_taken
        Whether the PLC has taken it. What comes then is another part, even under the same count.
    """

    phase: Phase = Phase.IDLE
    fault: LineFault = LineFault.STARTING
    recipe: int = 0
    answer: Answer | None = None
    is_taken: bool = False


def step(state: Handshake, inputs: LineInputs) -> tuple[Handshake, Event | None]:
    """Take what the PLC says, and return the new state with what happened."""
    match state.phase:
        case Phase.IDLE if inputs.trigger:
            return _triggered(state, inputs)
        case Phase.ANSWERED if state.answer:
            return _answered(state, state.answer, inputs)
        case Phase.RELEASING if not inputs.results_ack:
            return _released(state, inputs)
        case _:
            return state, None


def answered(state: Handshake, answer: Answer) -> Handshake:
    """Give the answer to the trigger that is being judged."""
    return replace(state, phase=Phase.ANSWERED, answer=answer, is_taken=False)


def outputs(state: Handshake, heartbeat: int) -> LineOutputs:
    """Say what the PLC is to read. Whatever is not OK reads as NG as well: a PLC that looks at one flag is safe."""
    said = LineOutputs(
        trigger_ready=state.phase is Phase.IDLE and state.fault is LineFault.NONE,
        busy=state.phase is Phase.BUSY,
        recipe=state.recipe,
        fault=state.fault,
        trigger_count=state.answer.trigger.count if state.answer else 0,
        heartbeat=heartbeat,
    )
    return _with_answer(said, state.answer) if state.phase is Phase.ANSWERED and state.answer else said


def _with_answer(said: LineOutputs, answer: Answer) -> LineOutputs:
    return replace(
        said,
        results_ready=True,
        ok=answer.verdict is VerdictCode.OK,
        ng=answer.verdict is not VerdictCode.OK,
        error=answer.verdict is VerdictCode.ERROR,
        verdict=answer.verdict,
        fault=answer.fault,
        score=answer.score,
        threshold=answer.threshold,
    )


def _asked(inputs: LineInputs) -> Trigger:
    return Trigger(inputs.trigger_count, inputs.recipe, inputs.serial)


def _is_same_part(one: Trigger, other: Trigger) -> bool:
    """Say whether two triggers are one part's; its recipe is not kept over a start of the station."""
    return (one.count, one.serial) == (other.count, other.serial)


def _triggered(state: Handshake, inputs: LineInputs) -> tuple[Handshake, Event | None]:
    trigger = _asked(inputs)
    if state.answer and not state.is_taken and state.answer.trigger.count == trigger.count:
        return _repeated(state, state.answer, trigger)
    if state.fault is LineFault.STARTING:  # soon over: the PLC's own takt watchdog decides
        return state, None
    fault = _fault_of(state, trigger)
    if fault is not LineFault.NONE:
        return _refused(state, trigger, fault)
    return replace(state, phase=Phase.BUSY), trigger


def _fault_of(state: Handshake, trigger: Trigger) -> LineFault:
    if state.fault is not LineFault.NONE:
        return state.fault
    return LineFault.MISSED_TRIGGER if trigger.count == 0 else LineFault.NONE


def _repeated(state: Handshake, answer: Answer, trigger: Trigger) -> tuple[Handshake, Event | None]:
    """Answer again, unless another part comes under the same count: that must not get the verdict of the one before it."""
    if not _is_same_part(trigger, answer.trigger):
        return _refused(state, trigger, LineFault.MISSED_TRIGGER)
    return replace(state, phase=Phase.ANSWERED), None


def _refused(state: Handshake, trigger: Trigger, fault: LineFault) -> tuple[Handshake, Event | None]:
    return answered(state, Answer(trigger, VerdictCode.ERROR, fault)), Refused(trigger, fault)


def _released(state: Handshake, inputs: LineInputs) -> tuple[Handshake, Event | None]:
    """Be ready again once the trigger was taken back; one for the next part says as much, where the PLC was quicker than the eye."""
    idle = replace(state, phase=Phase.IDLE)
    if not inputs.trigger:
        return idle, None
    is_next = state.answer is not None and inputs.trigger_count != state.answer.trigger.count
    return _triggered(idle, inputs) if is_next else (state, None)


def _answered(state: Handshake, answer: Answer, inputs: LineInputs) -> tuple[Handshake, Event | None]:
    """Wait for the PLC to take the answer; a trigger for another part meanwhile came while nobody looked."""
    if inputs.trigger and not _is_same_part(_asked(inputs), answer.trigger):
        return _refused(state, _asked(inputs), LineFault.MISSED_TRIGGER)
    if inputs.results_ack:
        return replace(state, phase=Phase.RELEASING, is_taken=True), Acknowledged(answer.trigger.count)
    return state, None
