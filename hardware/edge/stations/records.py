"""Keep what a station decided, before the PLC hears of it; others are told once that is done."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.line_entries import keep_answer, keep_unjudged, last_unanswered
from andon.datasets.store.opening import Store
from andon.datasets.store.recorder import InspectionRecord, Recorder
from andon.hardware.edge.listeners import Listener, tell
from andon.hardware.edge.stations.judging import Judged, encode_png
from andon.hardware.messaging.documents import StationVerdict
from andon.hardware.plc.handshake import Answer, Trigger
from andon.models.types.errors import AndonError, Param, ResourceError
from andon.models.types.identifiers import new_id
from andon.models.types.line import LineFault, VerdictCode
from andon.models.types.moments import as_text
from andon.models.types.vision import Verdict
from andon.models.vision.documents import inspection_document


@dataclass(frozen=True, slots=True)
class Told:
    """What the PLC is told of a part: its answer, and the inspection behind it where there is one."""

    answer: Answer
    inspection: str | None


TOLD_AGAIN = 500
"""So many of the last parts are told again at the start: who listens knows those it has by their identifiers."""

logger = logging.getLogger(__name__)


class NotKeptError(ResourceError):
    """A part could not be kept: the disk or the database refuses."""


class PartRecords:
    """Keeps the parts of all stations of a box. Safe to use from several threads at once; end it with ``close``.

    Parameters
    ----------
    listeners
        Told of each part once it is kept, on a thread of their own.
    """

    def __init__(self, store: Store, listeners: Sequence[Listener] = ()) -> None:
        self._store = store
        self._listeners = listeners
        self._recorder = Recorder(store.database, store.origin)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="answers")

    def check(self) -> None:
        """Return where there is room for more. Raises ``StorageFullError`` or ``ResourceError``."""
        self._store.room.check()

    def keep(self, station: str, trigger: Trigger, judged: Judged, told: VerdictCode) -> str:
        """Keep a part with its picture, and return the identifier of its inspection once both survive a power cut.

        Parameters
        ----------
        told
            What the PLC is told of it.

        Raises
        ------
        NotKeptError
            There is no room left, or the disk or the database cannot be written.
        """
        try:
            self.check()
            image = self._store.blobs.put(encode_png(judged.shot.frame))
            record = _record(station, trigger, judged, told, image)
            self._recorder.record(record).result()
        except AndonError as error:
            subject = str(error.params["subject"])
            raise NotKeptError(error.code, subject, **_without_subject(error)) from error
        self._later(partial(self._tell_of, record.document))
        return record.id

    def answered(self, told: Told) -> None:
        """Keep that the PLC took an answer; nobody waits for it."""
        answer = told.answer
        if told.inspection:
            keep = partial(keep_answer, self._store.database, self._store.origin, told.inspection)
            self._later(partial(keep, answer.verdict.name, answer.trigger.count, datetime.now(UTC)))

    def unjudged(self, station: str, answer: Answer) -> None:
        """Keep that a part could not be judged; nobody waits for it."""
        trigger = answer.trigger
        keep = partial(keep_unjudged, self._store.database, self._store.origin, station, trigger.serial)
        now = datetime.now(UTC)
        self._later(partial(keep, trigger.count, answer.fault.name, now))
        reason = f"fault.{answer.fault.name.lower()}"
        said = StationVerdict(
            id=new_id(), station=station, time=now, verdict=answer.verdict, serial=trigger.serial, reason=reason
        )
        self._later(partial(self._tell, said))

    def tell_again(self) -> None:
        """Tell of the last parts: a process before this one may have ended before it could."""
        page = KeptInspections(self._store.database).page(InspectionFilter(), None, TOLD_AGAIN)
        for kept in reversed(page.items):
            self._later(partial(self._tell_of, kept.document))

    def _later(self, work: Callable[[], object]) -> None:
        self._beside.submit(work).add_done_callback(_report)

    def _tell_of(self, document: bytes) -> None:
        self._tell(_verdict(msgspec.json.decode(document)))

    def _tell(self, verdict: StationVerdict) -> None:
        tell(self._listeners, verdict)

    def last_answer(self, station: str) -> Told | None:
        """Find what a process before this one was about to tell the PLC, where it is not known to have taken it."""
        found = last_unanswered(self._store.database, self._store.origin, station)
        return None if found is None else _told(msgspec.json.decode(found.document))

    def close(self) -> None:
        """Keep what waits, then end."""
        self._beside.shutdown()
        self._recorder.close()


def _report(work: Future[object]) -> None:
    """Say what went wrong with what nobody waits for."""
    if error := work.exception():
        logger.error("not kept or told", exc_info=error)


def _without_subject(error: AndonError) -> dict[str, Param]:
    return {name: value for name, value in error.params.items() if name != "subject"}


def _record(station: str, trigger: Trigger, judged: Judged, told: VerdictCode, image: str) -> InspectionRecord:
    identifier, time = new_id(), datetime.now(UTC)
    recipe, inspection, code = judged.recipe, judged.inspection, judged.code
    document = {
        "id": identifier,
        "time": as_text(time),
        "path": None,
        "model": recipe.bundle.name,
        "bundle_digest": recipe.bundle.digest,
        "serial": code.text if code else None,
        "part": code.canonical if code else None,
        "station": station,
        "recipe": recipe.digest,
        "operator": None,
        "image": image,
        **inspection_document(inspection, 0.0),
        "line": _line_document(trigger, judged, told),
    }
    return InspectionRecord(
        id=identifier,
        time=time,
        code=code,
        station=station,
        bundle=recipe.bundle,
        recipe=recipe.digest,
        verdict=inspection.verdict.value,
        score=inspection.score,
        threshold=inspection.threshold,
        operator=None,
        image=image,
        request_key=None,
        request_digest=None,
        document=msgspec.json.encode(document),
    )


def _line_document(trigger: Trigger, judged: Judged, told: VerdictCode) -> dict[str, Any]:
    return {
        "trigger_count": trigger.count,
        "serial": trigger.serial,
        "told": told.name,
        "takes": judged.takes,
        "take_ms": round(judged.take_ms, 3),
        "frame_number": judged.shot.number,
        "exposed": as_text(judged.shot.time),
    }


def _told(document: dict[str, Any]) -> Told:
    line = document["line"]
    trigger = Trigger(line["trigger_count"], 0, line["serial"])
    code = VerdictCode[line["told"]]
    fault = LineFault.TAKT if code is VerdictCode.ERROR else LineFault.NONE
    return Told(Answer(trigger, code, fault, document["score"], document["threshold"]), document["id"])


def _verdict(document: dict[str, Any]) -> StationVerdict:
    return StationVerdict(
        id=document["id"],
        station=document["station"],
        time=datetime.fromisoformat(document["time"]),
        verdict=VerdictCode[document["line"]["told"]],
        score=document["score"],
        threshold=document["threshold"],
        serial=document["serial"] or "",
        reason=document["reason"],
        milliseconds=document["milliseconds"]["total"],
        bundle=document["bundle_digest"],
    )


def code_of(verdict: Verdict) -> VerdictCode:
    """What a PLC is told of a verdict: a part that could not be judged within its retakes is not a good one.

    >>> code_of(Verdict.RETAKE).name
    'NG'
    """
    return VerdictCode.OK if verdict is Verdict.OK else VerdictCode.NG
