"""A PLC's side of the handshake, with the watchdogs that a real one needs: no answer within the takt, or a heartbeat that stands still, and the
part is NG and the line stops.

``deploy/plc/andon_station.st`` is the same in structured text. What it does in one cycle is a pure step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from time import monotonic, sleep
from types import TracebackType
from typing import Protocol, Self

from andon.hardware.plc.inbox import Inbox
from andon.hardware.plc.registers import decode_inputs, encode_inputs
from andon.models.types.line import COUNTS, LineFault, LineInputs, LineLostError, LineOutputs, VerdictCode


class StopReason(StrEnum):
    """Why a line stopped."""

    TAKT = "takt"
    """No answer came within the takt, or the answer was not taken back within it."""

    HEARTBEAT = "heartbeat"
    """The station's heartbeat stands still, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the PLC asks about."""

    recipe: int = 0
    serial: str = ""


@dataclass(frozen=True, slots=True)
class PartSeen:
    """What became of a part.

    Parameters
    ----------
    is_good
        Whether the PLC lets it pass.
    verdict, fault
        What the station said; NONE where the PLC did not wait for it.
    latency_s
        From trigger to *results ready*, as the PLC saw it; None where that never came.
    stop
        Why the line stopped at this part.
    """

    count: int
    part: Part
    is_good: bool
    verdict: VerdictCode
    fault: LineFault
    latency_s: float | None
    stop: StopReason | None


class PlcWire(Protocol):
    """How a PLC reaches a station; open while it is used in a ``with`` statement."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Tell the station, values before flags, and return what it says. Raises ``LineLostError``."""


class MemoryLine:
    """A ``LineLink`` for the station and a ``PlcWire`` for the PLC, in one process and without a network."""

    def __init__(self) -> None:
        self._lost = LineLostError("plc.cut", "memory")
        self._inbox = Inbox(self._lost)
        self._outputs = LineOutputs()
        self._is_cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def read(self, wait_s: float) -> LineInputs:
        """Return what the PLC says; see ``LineLink``."""
        return self._inbox.take(wait_s)

    def write(self, outputs: LineOutputs) -> None:
        """Tell the PLC; see ``LineLink``."""
        self._outputs = outputs
        self._inbox.check()

    def exchange(self, inputs: LineInputs) -> LineOutputs:
        """Tell the station; see ``PlcWire``."""
        if self._is_cut:
            raise self._lost
        self._inbox.put(decode_inputs(encode_inputs(inputs)))
        return self._outputs

    def cut(self) -> None:
        """Break the connection."""
        self._is_cut = True
        self._inbox.put(self._lost)

    def mend(self) -> None:
        """Let the PLC reach the station again."""
        self._is_cut = False


class PlcPhase(Enum):
    """Where a PLC stands with a part."""

    IDLE = auto()
    WAITING = auto()
    TRIGGERED = auto()
    ACKNOWLEDGING = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Watchdogs:
    """How long a PLC waits.

    Parameters
    ----------
    takt_s
        For each part's answer, from its arrival on, and for the answer to be taken back.
    heartbeat_s
        For the station's heartbeat to change.
    """

    takt_s: float
    heartbeat_s: float


@dataclass(frozen=True, slots=True)
class PlcState:
    """What a PLC remembers from one cycle to the next; times in s on its own clock."""

    phase: PlcPhase = PlcPhase.IDLE
    count: int = 0
    part: Part = Part()
    arrived_s: float = 0.0
    triggered_s: float = 0.0
    waits_since_s: float = 0.0
    heartbeat: int | None = None
    beat_s: float = 0.0
    stop: StopReason | None = None


def arrive(state: PlcState, part: Part, now_s: float) -> PlcState:
    """Take in the next part: it gets the next count, 0 is left out."""
    count = state.count % (COUNTS - 1) + 1
    return replace(state, phase=PlcPhase.WAITING, count=count, part=part, arrived_s=now_s, waits_since_s=now_s)


def restarted(state: PlcState, now_s: float) -> PlcState:
    """Go on after a stop, as when a person has acknowledged it."""
    return replace(state, phase=PlcPhase.IDLE, beat_s=now_s, stop=None)


def said(state: PlcState, outputs: LineOutputs | None) -> LineInputs:
    """What the PLC says. An answer that comes late is acknowledged as well, and not used."""
    match state.phase:
        case PlcPhase.TRIGGERED:
            return LineInputs(True, state.count, False, state.part.recipe, state.part.serial)
        case PlcPhase.ACKNOWLEDGING:
            return LineInputs(results_ack=True)
        case PlcPhase.STOPPED:
            return LineInputs()
        case _:
            return LineInputs(results_ack=outputs is not None and outputs.results_ready)


def cycle(
    state: PlcState, outputs: LineOutputs | None, now_s: float, watchdogs: Watchdogs
) -> tuple[PlcState, PartSeen | None]:
    """Carry out one cycle: ``outputs`` is what the station says, None where it cannot be reached."""
    state = _watched(state, outputs, now_s)
    if reason := _stop_reason(state, now_s, watchdogs):
        is_open = state.phase in (PlcPhase.WAITING, PlcPhase.TRIGGERED)
        stopped = replace(state, phase=PlcPhase.STOPPED, stop=reason)
        return stopped, _given_up(state, reason) if is_open else None
    match state.phase:
        case PlcPhase.WAITING if outputs and outputs.trigger_ready and not outputs.results_ready:
            return replace(state, phase=PlcPhase.TRIGGERED, triggered_s=now_s), None
        case PlcPhase.TRIGGERED if outputs and outputs.results_ready and outputs.trigger_count == state.count:
            taken = replace(state, phase=PlcPhase.ACKNOWLEDGING, waits_since_s=now_s)
            return taken, _judged(state, outputs, now_s)
        case PlcPhase.ACKNOWLEDGING if outputs and not outputs.results_ready:
            return replace(state, phase=PlcPhase.IDLE), None
        case _:
            return state, None


class SimulatedPlc:
    """Runs parts through a station; ``stops`` says why the line stopped, each time.

    Parameters
    ----------
    wire
        The way to the station; it is opened and closed by whoever made it.
    takt_s, heartbeat_s
        The watchdogs.
    cycle_s
        Pause between two cycles.
    pace_s
        Time from one part to the next at the least.
    restart_s
        After a stop the line goes on after so long; None: it stands.
    """

    def __init__(
        self,
        wire: PlcWire,
        *,
        takt_s: float,
        heartbeat_s: float = 1.0,
        cycle_s: float = 0.002,
        pace_s: float = 0.0,
        restart_s: float | None = None,
    ) -> None:
        self.stops: list[StopReason] = []
        self._wire = wire
        self._watchdogs = Watchdogs(takt_s, heartbeat_s)
        self._cycle_s = cycle_s
        self._pace_s = pace_s
        self._restart_s = restart_s
        self._state = PlcState()
        self._outputs: LineOutputs | None = None

    def wait_until_ready(self, timeout_s: float) -> bool:
        """Do nothing but look until the station can take a part. Returns whether it can."""
        ends_s = monotonic() + timeout_s
        while not (self._outputs and self._outputs.trigger_ready) and monotonic() < ends_s:
            self._state = restarted(self._state, monotonic())
            self._run_cycle()
        return bool(self._outputs and self._outputs.trigger_ready)

    def run(self, parts: Iterable[Part]) -> Iterator[PartSeen]:
        """Run parts one after another, and deliver what became of each; it ends when the line stands."""
        self._state = restarted(self._state, monotonic())
        for part in parts:
            self._state = arrive(self._state, part, monotonic())
            yield from self._run_part()
            if self._state.phase is PlcPhase.STOPPED:
                if self._restart_s is None:
                    return
                self._stand(self._restart_s)

    def _run_part(self) -> Iterator[PartSeen]:
        """Cycle until the part is done and the next one may come, or the line stops."""
        while self._state.phase is not PlcPhase.STOPPED and not self._is_done():
            if seen := self._run_cycle():
                yield seen

    def _is_done(self) -> bool:
        return self._state.phase is PlcPhase.IDLE and monotonic() - self._state.arrived_s >= self._pace_s

    def _run_cycle(self) -> PartSeen | None:
        try:
            self._outputs = self._wire.exchange(said(self._state, self._outputs))
        except LineLostError:
            self._outputs = None
        was_stopped = self._state.stop
        self._state, seen = cycle(self._state, self._outputs, monotonic(), self._watchdogs)
        if self._state.stop and not was_stopped:
            self.stops.append(self._state.stop)
        sleep(self._cycle_s)
        return seen

    def _stand(self, duration_s: float) -> None:
        """Stand still, say nothing, and go on."""
        ends_s = monotonic() + duration_s
        while monotonic() < ends_s:
            self._run_cycle()
        self._state = restarted(self._state, monotonic())


def _watched(state: PlcState, outputs: LineOutputs | None, now_s: float) -> PlcState:
    if outputs is None or outputs.heartbeat == state.heartbeat:
        return state
    return replace(state, heartbeat=outputs.heartbeat, beat_s=now_s)


def _stop_reason(state: PlcState, now_s: float, watchdogs: Watchdogs) -> StopReason | None:
    if state.phase is PlcPhase.STOPPED:
        return None
    if now_s - state.beat_s > watchdogs.heartbeat_s:
        return StopReason.HEARTBEAT
    is_late = now_s - state.waits_since_s > watchdogs.takt_s
    return StopReason.TAKT if is_late and state.phase is not PlcPhase.IDLE else None


def _judged(state: PlcState, outputs: LineOutputs, now_s: float) -> PartSeen:
    """A part is good only if everything says so."""
    is_good = outputs.ok and not outputs.ng and not outputs.error and outputs.verdict is VerdictCode.OK
    latency_s = now_s - state.triggered_s
    return PartSeen(state.count, state.part, is_good, outputs.verdict, outputs.fault, latency_s, None)


def _given_up(state: PlcState, reason: StopReason) -> PartSeen:
    return PartSeen(state.count, state.part, False, VerdictCode.NONE, LineFault.NONE, None, reason)
