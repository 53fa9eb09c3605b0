"""A station: trigger, picture, verdict, record, answer, within the takt, and never a good part where anything failed.

Two threads: the line's, which speaks with the PLC and never waits for anything beyond the takt, and the judge's, which uses the camera and the
model. The heartbeat is written by the line's thread: it stands still where that thread does.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event
from time import monotonic, sleep

from andon.hardware.edge.judging import IncompleteFrameError, Judge, Judged, RecipeInUse
from andon.hardware.edge.records import PartRecords, Told, code_of
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
from andon.hardware.profiles.affinity import keep_to
from andon.models.codes.errors import CodeError
from andon.models.codes.parsing import PartCode, parse_code
from andon.models.graphs.cancelling import Cancellation
from andon.models.types.camera import CameraLostError, CameraSettings, NoFrameError, TriggerSource
from andon.models.types.errors import AndonError, ResourceError
from andon.models.types.line import LineFault, LineInputs, LineLink, LineLostError, VerdictCode

BEAT_S = 0.1
"""How often the heartbeat changes, and how long the line's thread waits at most for the PLC."""

LOOK_S = 0.5
"""How often an idle station looks whether camera and disk are there."""

ANSWER_S = 0.02
"""What is left of the takt for the answer to reach the PLC."""

REMEMBERED = 1000
"""Of how many parts the times are kept for their percentiles."""


class Figures:
    """What a station has done since it started. Written by its line's thread, read by others."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.latencies_ms: deque[float] = deque(maxlen=REMEMBERED)
        self.last_verdict: datetime | None = None
        self.fault: AndonError | None = None

    def count(self, answer: Answer, latency_ms: float) -> None:
        """Count an answer."""
        self.told[answer.verdict.name] += 1
        self.latencies_ms.append(latency_ms)
        self.last_verdict = datetime.now(UTC)


@dataclass(frozen=True)
class StationParts:
    """What a station is put together from.

    Parameters
    ----------
    recipes
        By their numbers; the first is active at first.
    settings
        What each recipe asks of the camera.
    cores
        Logical processors that judging keeps to; none for all.
    takes_serial
        Whether the PLC says the part's serial number.
    """

    name: str
    takt_s: float
    link: LineLink
    judge: Judge
    recipes: Mapping[int, RecipeInUse]
    settings: Mapping[int, CameraSettings]
    records: PartRecords
    cores: Sequence[int] = ()
    takes_serial: bool = True


class Station:
    """Runs a station until it is told to stop."""

    def __init__(self, parts: StationParts) -> None:
        self.figures = Figures()
        self.parts = parts
        first = next(iter(parts.recipes))
        self._told = parts.records.last_answer(parts.name)
        self.state = Handshake(recipe=first, answer=self._told.answer if self._told else None)
        self._work = ThreadPoolExecutor(1, f"judge {parts.name}", partial(keep_to, parts.cores))
        self._preparing: Future[None] | None = None
        self._late: tuple[Future[tuple[Judged, str]], Answer] | None = None
        self._looked_s = float("-inf")

    def run(self, stop: Event) -> None:
        """Serve the PLC until ``stop`` is set; what is being judged then is answered first."""
        with self.parts.link, self.parts.judge.camera:
            self._prepare(self.state.recipe)
            while not stop.is_set():
                self._turn()
            self._fail(LineFault.STOPPED, None)
            self._tell()
        self._work.shutdown()

    def _turn(self) -> None:
        """One round: what the PLC says, what follows from it, how things are, what the PLC is told."""
        self._look()
        self._tell()
        inputs = self._read()
        received_s = monotonic()
        if inputs is None:
            return
        self.state, event = step(self.state, inputs)
        match event:
            case Trigger():
                self._answer(event, received_s)
            case Refused():
                self._told = None
                self._count(_error(event.trigger, event.fault), received_s)
            case Acknowledged() if self._told:
                self.parts.records.answered(self._told)

    def _read(self) -> LineInputs | None:
        """Hear the PLC; None while it is away: an answer that waits stays, and is read once it is back."""
        try:
            return self.parts.link.read(BEAT_S)
        except LineLostError as error:
            self.figures.fault = error
            sleep(BEAT_S)
            return None

    def _tell(self) -> None:
        try:
            self.parts.link.write(outputs(self.state, int(monotonic() / BEAT_S) % 65_536))
        except LineLostError as error:
            self.figures.fault = error

    # -- whether it can judge -----------------------------------------------------------------------------------------

    def _prepare(self, recipe: int) -> None:
        """Bring the camera to a recipe's settings; until that is done no trigger is taken."""
        self.state = replace(self.state, recipe=recipe, fault=LineFault.STARTING)
        settings = self.parts.settings[recipe]

        def prepare() -> None:
            self.parts.judge.camera.apply(settings)
            self.parts.judge.camera.arm()

        self._preparing = self._work.submit(prepare)

    def _look(self) -> None:
        """Look whether camera, model and disk are there."""
        if self.state.phase is not Phase.IDLE or self._is_working():
            return
        is_soon_over = self.state.fault in (LineFault.STARTING, LineFault.MODEL)
        if is_soon_over or self._looked_s + LOOK_S < monotonic():
            self._looked_s = monotonic()
            self._check()

    def _is_working(self) -> bool:
        """Whether the judge still has something to do: settings to apply, or a part that is late."""
        if self._late is not None:
            job, answer = self._late
            if not job.done():
                return True
            self._late = None
            self._settle_late(job, answer)
        if self._preparing is None:
            return False
        if not self._preparing.done():
            return True
        preparing, self._preparing = self._preparing, None
        error = preparing.exception()
        self._fail(LineFault.CAMERA if error else LineFault.STARTING, error)
        return False

    def _settle_late(self, job: Future[tuple[Judged, str]], answer: Answer) -> None:
        """Keep what the PLC was told of a part whose record came too late."""
        if job.exception() is None:
            self.parts.records.answered(Told(answer, job.result()[1]))
        else:
            self.parts.records.unjudged(self.parts.name, answer)

    def _check(self) -> None:
        if self.state.fault in (LineFault.CAMERA, LineFault.STOPPED) and self._preparing is None:
            self._retry()
            return
        try:
            self.parts.records.check()
            self.parts.judge.camera.check()
        except CameraLostError as error:
            self._fail(LineFault.CAMERA, error)
        except ResourceError as error:
            self._fail(LineFault.STORAGE, error)
        else:
            self.figures.fault = None
            self.state = replace(self.state, fault=LineFault.NONE)

    def _retry(self) -> None:
        """Try the camera's settings again, and stay out of work until they hold."""
        fault = self.state.fault
        self._prepare(self.state.recipe)
        self.state = replace(self.state, fault=fault)

    def _fail(self, fault: LineFault, error: BaseException | None) -> None:
        self.state = replace(self.state, fault=fault)
        if isinstance(error, AndonError):
            self.figures.fault = error

    # -- one part -----------------------------------------------------------------------------------------------------

    def _answer(self, trigger: Trigger, received_s: float) -> None:
        """Judge a part and tell the PLC, within the takt whatever happens."""
        due_s = received_s + self.parts.takt_s - ANSWER_S
        answer, inspection = self._judged(trigger, due_s)
        self._told = Told(answer, inspection)
        self.state = answered(self.state, answer)
        self._tell()
        self._count(answer, received_s)
        if answer.fault is LineFault.RECIPE and trigger.recipe in self.parts.recipes:
            self._prepare(trigger.recipe)
        else:
            self._arm()

    def _arm(self) -> None:
        """Forget what the camera saw since: a frame that nobody asked for must not be taken for the next part's."""
        if self.state.fault is LineFault.NONE:
            self.state = replace(self.state, fault=LineFault.STARTING)
            self._preparing = self._work.submit(self.parts.judge.camera.arm)

    def _count(self, answer: Answer, received_s: float) -> None:
        self.figures.count(answer, (monotonic() - received_s) * 1e3)
        if answer.verdict is VerdictCode.ERROR and self._late is None:
            self.parts.records.unjudged(self.parts.name, answer)

    def _judged(self, trigger: Trigger, due_s: float) -> tuple[Answer, str | None]:
        number = trigger.recipe or self.state.recipe
        if not self._can_change_to(number):
            return _error(trigger, LineFault.RECIPE), None
        try:
            code = parse_code(trigger.serial) if self.parts.takes_serial and trigger.serial else None
        except CodeError as error:
            self.figures.fault = error
            return _error(trigger, LineFault.SERIAL), None
        settings = self.parts.settings[number] if number != self.state.recipe else None
        self.state = replace(self.state, recipe=number)
        cancellation = Cancellation()
        job = self._work.submit(self._judge_and_keep, trigger, settings, code, due_s, cancellation)
        if self._waited(job, due_s):
            return self._outcome(trigger, job)
        cancellation.cancel()
        answer = _error(trigger, LineFault.TAKT)
        self._late = job, answer
        self._fail(LineFault.MODEL, None)
        return answer, None

    def _can_change_to(self, recipe: int) -> bool:
        """Say whether a part that is there can be judged by a recipe: where the camera's own line triggers, it has been exposed already."""
        settings = self.parts.settings.get(recipe)
        is_exposed = settings is not None and settings.trigger is TriggerSource.HARDWARE
        return settings is not None and (recipe == self.state.recipe or not is_exposed)

    def _judge_and_keep(
        self,
        trigger: Trigger,
        settings: CameraSettings | None,
        code: PartCode | None,
        due_s: float,
        cancellation: Cancellation,
    ) -> tuple[Judged, str]:
        """Judge a part, by other settings of the camera where those are given, and keep it.

        One that is late is kept as what the PLC was told.
        """
        with cancellation.applied():
            if settings:
                self.parts.judge.camera.apply(settings)
            judged = self.parts.judge.judge(self.parts.recipes[self.state.recipe], code, due_s)
        told = code_of(judged.inspection.verdict) if monotonic() < due_s else VerdictCode.ERROR
        inspection = self.parts.records.keep(self.parts.name, trigger, judged, told)
        return judged, inspection

    def _waited(self, job: Future[tuple[Judged, str]], due_s: float) -> bool:
        """Wait for the judge with the heart beating; false where the takt is over."""
        while not job.done() and (left_s := due_s - monotonic()) > 0:
            self._tell()
            wait([job], timeout=min(BEAT_S, left_s))
        return job.done()

    def _outcome(self, trigger: Trigger, job: Future[tuple[Judged, str]]) -> tuple[Answer, str | None]:
        error = job.exception()
        if error is None:
            judged, identifier = job.result()
            inspection = judged.inspection
            verdict = code_of(inspection.verdict)
            return Answer(trigger, verdict, LineFault.NONE, inspection.score, inspection.threshold), identifier
        fault = _fault_of(error)
        if fault in (LineFault.CAMERA, LineFault.STORAGE):
            self._fail(fault, error)
        elif isinstance(error, AndonError):
            self.figures.fault = error
        return _error(trigger, fault), None


def _error(trigger: Trigger, fault: LineFault) -> Answer:
    return Answer(trigger, VerdictCode.ERROR, fault)


def _fault_of(error: BaseException) -> LineFault:
    match error:
        case CameraLostError():
            return LineFault.CAMERA
        case NoFrameError() | IncompleteFrameError():
            return LineFault.FRAME
        case ResourceError() if error.code.startswith("store."):
            return LineFault.STORAGE
        case _:
            return LineFault.MODEL
