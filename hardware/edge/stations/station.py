"""A station: trigger, picture, verdict, record, answer, within the takt, and never a good part where anything failed.

Two threads: the line's, which speaks with the PLC and never waits for anything beyond the takt, and the judge's, which uses the camera and the
model. The heartbeat is written by the line's thread: it stands still where that thread does.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event
from time import monotonic, sleep

from andon.hardware.edge.stations.judging import IncompleteFrameError, Judge, Judged, RecipeInUse
from andon.hardware.edge.stations.recipes import StationRecipe
from andon.hardware.edge.stations.records import NotKeptError, PartRecords, Told, code_of
from andon.hardware.edge.stations.serials import NoBoardError, PlcSerials, Serials
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
from andon.models.types.camera import CameraLostError, CameraSettingError, CameraSettings, NoFrameError, TriggerSource
from andon.models.types.errors import AndonError, BundleError, ResourceError
from andon.models.types.line import COUNTS, LineFault, LineInputs, LineLink, LineLostError, VerdictCode
from andon.models.types.vision import Verdict

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
        self.told: Counter[VerdictCode] = Counter()
        self.unclear = 0
        """Parts whose pictures a gate refused to the last; they are told as NG."""
        self.latencies_ms: deque[float] = deque(maxlen=REMEMBERED)
        self.last_verdict: datetime | None = None
        self.error: AndonError | None = None

    def count(self, answer: Answer, latency_ms: float) -> None:
        """Count an answer."""
        self.told[answer.verdict] += 1
        self.latencies_ms.append(latency_ms)
        self.last_verdict = datetime.now(UTC)


@dataclass(frozen=True)
class StationParts:
    """What a station is put together from.

    Parameters
    ----------
    recipes
        By their numbers; the first is active at first.
    cores
        Logical processors that judging keeps to; none for all.
    serials
        Where parts get their serial numbers from.
    """

    name: str
    takt_s: float
    link: LineLink
    judge: Judge
    recipes: Mapping[int, StationRecipe]
    records: PartRecords
    cores: Sequence[int] = ()
    serials: Serials = field(default_factory=PlcSerials)


def _nothing() -> None:
    """Nothing is to be noted."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a part.

    Parameters
    ----------
    inspection
        Its record, where it was judged.
    note
        Lets the recipe know, once the PLC is told.
    """

    answer: Answer
    inspection: str | None = None
    note: Callable[[], None] = _nothing


class Station:
    """Runs a station until it is told to stop."""

    def __init__(self, parts: StationParts) -> None:
        self.figures = Figures()
        self.parts = parts
        first = next(iter(parts.recipes))
        self._told = parts.records.last_answer(parts.name)
        self.state = Handshake(recipe=first, answer=self._told.answer if self._told else None)
        self._work = ThreadPoolExecutor(1, f"judge {parts.name}", partial(keep_to, parts.cores))
        self._applied: CameraSettings | None = None
        """What the camera has; the judge's thread alone looks at it."""
        self._preparing: Future[None] | None = None
        self._late: tuple[Future[tuple[Judged, str]], Answer] | None = None
        self._looked_s = float("-inf")

    def run(self, stop: Event) -> None:
        """Serve the PLC until ``stop`` is set; what is being judged then is answered first."""
        with self._work, self.parts.link, self.parts.judge.camera:
            self._prepare(self.state.recipe, LineFault.STARTING)
            while not stop.is_set():
                self._turn()
            self._fail(LineFault.STOPPED, None)
            self._tell()

    def _turn(self) -> None:
        """One round: how things are, what the PLC is told, what it says, and what follows from that."""
        self._look()
        self._tell()
        self.parts.serials.attend(self.state.phase is Phase.IDLE and self.state.fault is LineFault.NONE)
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
                with suppress(NoBoardError):
                    self.parts.serials.take(event.trigger)
                self._count(_error(event.trigger, event.fault), received_s)
            case Acknowledged() if self._told:
                self.parts.records.answered(self._told)

    def _read(self) -> LineInputs | None:
        """Hear the PLC; None while it is away: an answer that waits stays, and is read once it is back."""
        try:
            return self.parts.link.read(BEAT_S)
        except LineLostError as error:
            self.figures.error = error
            sleep(BEAT_S)
            return None

    def _tell(self) -> None:
        try:
            self.parts.link.write(outputs(self.state, int(monotonic() / BEAT_S) % COUNTS))
        except LineLostError as error:
            self.figures.error = error

    # -- whether it can judge -----------------------------------------------------------------------------------------

    def _prepare(self, recipe: int, fault: LineFault) -> None:
        """Bring the camera to a recipe's settings; until that is done no trigger is taken, because of ``fault``."""
        self.state = replace(self.state, recipe=recipe, fault=fault)
        self._applied = None
        settings = self.parts.recipes[recipe].settings

        def prepare() -> None:
            self._apply(settings)
            self.parts.judge.camera.arm()

        self._preparing = self._work.submit(prepare)

    def _apply(self, settings: CameraSettings) -> None:
        """Apply settings unless the camera has them: one that refused some has neither the former nor these."""
        if self._applied != settings:
            self._applied = None
            self.parts.judge.camera.apply(settings)
            self._applied = settings

    def _look(self) -> None:
        """Look whether camera, model and disk are there, while no part is and the judge has nothing to do."""
        if self.state.phase is not Phase.IDLE or not (self._has_settled() and self._is_prepared()):
            return
        is_soon_over = self.state.fault in (LineFault.STARTING, LineFault.MODEL)
        if is_soon_over or self._looked_s + LOOK_S < monotonic():
            self._looked_s = monotonic()
            self._check()

    def _has_settled(self) -> bool:
        """Wait for a part that is late, and keep what the PLC was told of it."""
        if self._late is None:
            return True
        job, answer = self._late
        if not job.done():
            return False
        self._late = None
        if job.exception() is None:
            self.parts.records.answered(Told(answer, job.result()[1]))
        else:
            self.parts.records.unjudged(self.parts.name, answer)
        return True

    def _is_prepared(self) -> bool:
        """Wait for the camera's settings and its arming."""
        if self._preparing is None:
            return True
        if not self._preparing.done():
            return False
        preparing, self._preparing = self._preparing, None
        error = preparing.exception()
        self._fail(LineFault.CAMERA if error else LineFault.STARTING, error)
        return True

    def _check(self) -> None:
        if self.state.fault is LineFault.CAMERA:
            self._prepare(self.state.recipe, LineFault.CAMERA)
            return
        try:
            self.parts.records.check()
            self.parts.judge.camera.check()
            self.parts.recipes[self.state.recipe].current()
        except CameraLostError as error:
            self._fail(LineFault.CAMERA, error)
        except BundleError as error:
            self._fail(LineFault.MODEL, error)
        except ResourceError as error:
            self._fail(LineFault.STORAGE, error)
        else:
            self.figures.error = None
            self.state = replace(self.state, fault=LineFault.NONE)

    def _fail(self, fault: LineFault, error: BaseException | None) -> None:
        self.state = replace(self.state, fault=fault)
        if isinstance(error, AndonError):
            self.figures.error = error

    # -- one part -----------------------------------------------------------------------------------------------------

    def _answer(self, trigger: Trigger, received_s: float) -> None:
        """Judge a part and tell the PLC, within the takt whatever happens."""
        due_s = received_s + self.parts.takt_s - ANSWER_S
        outcome = self._judged(trigger, due_s)
        answer = outcome.answer
        self._told = Told(answer, outcome.inspection)
        self.state = answered(self.state, answer)
        self._tell()
        self._count(answer, received_s)
        outcome.note()
        if answer.fault is LineFault.RECIPE and trigger.recipe in self.parts.recipes:
            self._prepare(trigger.recipe, LineFault.STARTING)
        else:
            self._arm()

    def _arm(self) -> None:
        """Forget what the camera saw since: a frame that nobody asked for must not be taken for the next part's."""
        if self.state.fault is LineFault.NONE:
            self.state = replace(self.state, fault=LineFault.STARTING)
            self._preparing = self._work.submit(self.parts.judge.camera.arm)

    def _count(self, answer: Answer, received_s: float) -> None:
        self.figures.count(answer, (monotonic() - received_s) * 1e3)
        # What is late is kept once it has settled: there may be a record of it after all.
        if answer.verdict is VerdictCode.ERROR and answer.fault is not LineFault.TAKT:
            self.parts.records.unjudged(self.parts.name, answer)

    def _judged(self, trigger: Trigger, due_s: float) -> _Outcome:
        number = trigger.recipe or self.state.recipe
        try:
            # First: whatever comes of the part, the next one is another.
            serial = self.parts.serials.take(trigger)
            if not self._can_change_to(number):
                return _Outcome(_error(trigger, LineFault.RECIPE))
            code = parse_code(serial) if serial else None
            used = self.parts.recipes[number].current()
        except (CodeError, NoBoardError) as error:
            self.figures.error = error
            return _Outcome(_error(trigger, LineFault.SERIAL))
        except BundleError as error:
            self._fail(LineFault.MODEL, error)
            return _Outcome(_error(trigger, LineFault.MODEL))
        self.state = replace(self.state, recipe=number)
        return self._outcome_within(due_s, trigger, used, code)

    def _outcome_within(self, due_s: float, trigger: Trigger, used: RecipeInUse, code: PartCode | None) -> _Outcome:
        cancellation, recipe = Cancellation(), self.parts.recipes[self.state.recipe]
        job = self._work.submit(self._judge_and_keep, trigger, used, code, due_s, cancellation)
        if self._waited(job, due_s):
            return self._outcome(trigger, job, recipe, used)
        cancellation.cancel()
        answer = _error(trigger, LineFault.TAKT)
        self._late = job, answer
        self._fail(LineFault.MODEL, None)
        return _Outcome(answer, note=partial(recipe.late, used))

    def _can_change_to(self, number: int) -> bool:
        """Say whether a part that is there can be judged by a recipe: where the camera's own line triggers, it has been exposed already."""
        recipe = self.parts.recipes.get(number)
        if recipe is None or number == self.state.recipe:
            return recipe is not None
        return recipe.settings.trigger is TriggerSource.SOFTWARE

    def _judge_and_keep(
        self,
        trigger: Trigger,
        recipe: RecipeInUse,
        code: PartCode | None,
        due_s: float,
        cancellation: Cancellation,
    ) -> tuple[Judged, str]:
        """Judge a part and keep it; one that is late is kept as what the PLC was told."""
        with cancellation.applied():
            self._apply(recipe.settings)
            judged = self.parts.judge.judge(recipe, code, due_s)
        told = code_of(judged.inspection.verdict) if monotonic() < due_s else VerdictCode.ERROR
        return judged, self.parts.records.keep(self.parts.name, trigger, judged, told)

    def _waited(self, job: Future[tuple[Judged, str]], due_s: float) -> bool:
        """Wait for the judge with the heart beating; false where the takt is over."""
        while not job.done() and (left_s := due_s - monotonic()) > 0:
            self._tell()
            wait([job], timeout=min(BEAT_S, left_s))
        return job.done()

    def _outcome(
        self, trigger: Trigger, job: Future[tuple[Judged, str]], recipe: StationRecipe, used: RecipeInUse
    ) -> _Outcome:
        error = job.exception()
        if error is None:
            judged, identifier = job.result()
            inspection = judged.inspection
            self.figures.unclear += inspection.verdict is Verdict.RETAKE
            verdict = code_of(inspection.verdict)
            answer = Answer(trigger, verdict, LineFault.NONE, inspection.score, inspection.threshold)
            return _Outcome(answer, identifier, partial(recipe.judged, judged))
        fault = _fault_of(error)
        if fault in (LineFault.CAMERA, LineFault.STORAGE):
            self._fail(fault, error)
        elif isinstance(error, AndonError):
            self.figures.error = error
        return _Outcome(
            _error(trigger, fault), note=partial(recipe.failed, used) if fault is LineFault.MODEL else _nothing
        )


def _error(trigger: Trigger, fault: LineFault) -> Answer:
    return Answer(trigger, VerdictCode.ERROR, fault)


def _fault_of(error: BaseException) -> LineFault:
    match error:
        case CameraLostError() | CameraSettingError():
            return LineFault.CAMERA
        case NoFrameError() | IncompleteFrameError():
            return LineFault.FRAME
        case NotKeptError():
            return LineFault.STORAGE
        case _:
            return LineFault.MODEL
