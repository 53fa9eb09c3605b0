"""What the entries of another box say, read and checked: rows are made of what the hash of an entry covers, what travels beside it has its digest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from andon.datasets.store.conditions import SignalRecord
from andon.datasets.store.ledger import ALERT, INSPECTION, SIGNAL
from andon.datasets.store.line_entries import ANSWER, UNJUDGED
from andon.datasets.store.parts import DISPOSITION, Disposition
from andon.datasets.store.recorder import BundleRecord, InspectionRecord
from andon.datasets.store.replication import BundleLine, Comment, Digest, EntryLine, Id, RecipeLine, Text, Time
from andon.datasets.store.retention import REMOVAL
from andon.models.alerts.case import Alert, AlertEvent, Case, Observation
from andon.models.codes.parsing import PartCode, parse_code
from andon.models.ledger.chain import Entry
from andon.models.types.errors import DataError
from andon.models.types.vibration import Fault, Severity, Unit

Said = TypeVar("Said")
Asset = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class _Body(msgspec.Struct):
    kind: str
    time: Time
    record: msgspec.Raw


class _Inspected(msgspec.Struct):
    inspection: Id
    part: str | None
    station: Text | None
    image: Digest
    bundle_digest: Digest
    recipe: Text | None
    score: float
    threshold: float
    verdict: Literal["OK", "NG", "RETAKE"]
    operator: Text | None
    document: Digest


class _Disposed(msgspec.Struct):
    id: Id
    inspection: Id
    time: Time
    verdict: Literal["OK", "NG"]
    label: Text
    comment: Comment
    operator: Text


class _Answered(msgspec.Struct):
    inspection: Id


class _Sensed(msgspec.Struct):
    signal: Id
    time: Time
    asset: Asset | None
    sensor: Text
    rate_hz: float
    unit: Unit
    rpm: float | None
    duration_s: float
    fault: Fault
    severity: Severity
    zone: Text | None
    running: bool | None
    waveform: Digest
    indicators: dict[Text, float]
    document: Digest


class _Told(msgspec.Struct):
    alert: Id
    asset: Asset
    event: AlertEvent
    time: Time
    case: Case
    observation: Observation | None
    document: Digest


class _Alone(msgspec.Struct):
    """What an entry says that no row belongs to: the entry is all there is to keep."""


class _Recipe(msgspec.Struct, forbid_unknown_fields=True):
    name: Text
    station: Text | None
    bundle_digest: Digest
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What people were to be told of a machine, with the document that shows it."""

    alert: Alert
    document: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """An entry with what it says.

    Parameters
    ----------
    inspection, signal, disposition, told
        What it speaks of: one of them, or none.
    file_kept
        Whether the picture or the waveform that it names was sent before.
    about
        The inspection that it is about, where it is about another entry's.
    """

    entry: Entry
    inspection: InspectionRecord | None = None
    signal: SignalRecord | None = None
    disposition: Disposition | None = None
    told: Told | None = None
    file_kept: bool = False
    about: str | None = None

    @property
    def file(self) -> str | None:
        """The digest of the file that was sent before, where one was."""
        if self.signal and self.file_kept:
            return self.signal.waveform
        return self.inspection.image if self.inspection and self.file_kept else None

    @property
    def asset(self) -> str | None:
        """The machine that it speaks of, where it speaks of one."""
        if self.told:
            return self.told.alert.case.asset
        return self.signal.asset or None if self.signal else None


@dataclass(frozen=True, slots=True)
class _Sent:
    """An entry with what was sent beside it.

    Parameters
    ----------
    time
        The entry's.
    place
        Names it in errors.
    """

    entry: Entry
    line: EntryLine
    bundles: Mapping[str, BundleLine]
    time: datetime
    place: str

    def document(self, digest: str, **shown: str) -> bytes:
        """Check the document beside it, as it is shown from here on: by its digest, and by members that it must have."""
        document = (self.line.document or "").encode()
        if (found := sha256(document).hexdigest()) != digest:
            raise DataError("upload.document", self.place, found=found, expected=digest)
        said = _decoded(document, dict[str, Any], self.place)
        is_same = all(said.get(name) == value for name, value in shown.items())
        # Where it is shown, the hash of the entry is put behind its last member.
        if not is_same or "ledger_hash" in said or not document.endswith(b"}"):
            raise self.refused("a document that is not of this entry")
        return document

    def refused(self, reason: str) -> DataError:
        """Say what does not belong together."""
        return DataError("upload.record", self.place, reason=reason)


def read(entry: Entry, line: EntryLine, bundles: Mapping[str, BundleLine]) -> Arrival:
    """Read an entry whose hash holds.

    Parameters
    ----------
    bundles
        By their digests, those that were sent beside it.

    Raises
    ------
    DataError
        What travels beside it is not what it says, or it is of a kind that is not known here.
    """
    place = f"{entry.origin} {entry.seq}"
    body = _decoded(entry.body, _Body, place)
    if body.kind not in _KINDS:
        raise DataError("upload.kind", place, found=body.kind, expected=", ".join(sorted(_KINDS)))
    kind, make = _KINDS[body.kind]
    sent = _Sent(entry, line, bundles, _in_utc(body.time, place), place)
    return make(_decoded(body.record, kind, place), sent)


def _inspected(said: _Inspected, sent: _Sent) -> Arrival:
    bundle = sent.bundles.get(said.bundle_digest)
    if bundle is None:
        raise DataError("upload.no_bundle", sent.place, found=said.bundle_digest)
    record = InspectionRecord(
        id=said.inspection,
        time=sent.time,
        code=_code(said.part, sent),
        station=said.station,
        bundle=BundleRecord(bundle.digest, bundle.name, bundle.kind, bundle.manifest.encode()),
        recipe=said.recipe,
        verdict=said.verdict,
        score=said.score,
        threshold=said.threshold,
        operator=said.operator,
        image=said.image,
        # Whoever sent this to the box sends it again to the box: here it is known by its entry.
        request_key=None,
        request_digest=None,
        document=sent.document(said.document, id=said.inspection, verdict=said.verdict),
    )
    return Arrival(sent.entry, inspection=record, file_kept=sent.line.image)


def _code(part: str | None, sent: _Sent) -> PartCode | None:
    code = None if part is None else parse_code(part)
    if code and code.canonical != part:
        raise sent.refused(f"{part} is written {code.canonical}")
    return code


def _sensed(said: _Sensed, sent: _Sent) -> Arrival:
    record = SignalRecord(
        id=said.signal,
        time=_in_utc(said.time, sent.place),
        received=sent.time,
        asset=said.asset or "",
        sensor=said.sensor,
        rate_hz=said.rate_hz,
        unit=said.unit.value,
        rpm=said.rpm,
        duration_s=said.duration_s,
        fault=said.fault.value,
        severity=said.severity.value,
        zone=said.zone,
        running=said.running,
        waveform=said.waveform,
        indicators=said.indicators,
        request_key=None,
        request_digest=None,
        document=sent.document(said.document, id=said.signal, fault=said.fault, severity=said.severity),
    )
    return Arrival(sent.entry, signal=record, file_kept=sent.line.image)


def _told(said: _Told, sent: _Sent) -> Arrival:
    case = said.case
    if sent.line.image:
        raise sent.refused("a file beside an alert")
    if (case.id, case.asset) != (said.alert, said.asset) or not case.findings:
        raise sent.refused("a case that is not of this alert, or without findings")
    if any(moment.tzinfo is None for moment in _moments(case)):
        raise sent.refused("a time without its zone")
    document = sent.document(said.document, id=case.id, event=said.event, state=case.state, asset=case.asset)
    alert = Alert(said.event, _in_utc(said.time, sent.place), case, said.observation)
    return Arrival(sent.entry, told=Told(alert, document))


def _moments(case: Case) -> Iterator[datetime]:
    yield from (case.opened, case.raised, case.notified, case.last_seen)
    yield from (finding.since for finding in case.findings)


def _disposed(said: _Disposed, sent: _Sent) -> Arrival:
    decided = msgspec.structs.asdict(said) | {"time": _in_utc(said.time, sent.place)}
    return replace(_alone(said, sent), disposition=Disposition(**decided), about=said.inspection)


def _answered(said: _Answered, sent: _Sent) -> Arrival:
    return replace(_alone(said, sent), about=said.inspection)


def _alone(_said: msgspec.Struct, sent: _Sent) -> Arrival:
    if sent.line.document is not None or sent.line.image:
        raise sent.refused("a document or a file beside an entry of a kind that has none")
    return Arrival(sent.entry)


_KINDS: Mapping[str, tuple[type[msgspec.Struct], Callable[[Any, _Sent], Arrival]]] = {
    INSPECTION: (_Inspected, _inspected),
    SIGNAL: (_Sensed, _sensed),
    ALERT: (_Told, _told),
    DISPOSITION: (_Disposed, _disposed),
    ANSWER: (_Answered, _answered),
    UNJUDGED: (_Alone, _alone),
    # The box let go of its own files: whether this store keeps its copies is for its own rules to say.
    REMOVAL: (_Alone, _alone),
}


def check_record(kind: str, record: Mapping[str, Any]) -> None:
    """Check that a record of a kind can be read as it will be where its entry arrives.

    Raises
    ------
    DataError
        It cannot: a name is too long or not on one line, or a member is of another type.
    """
    try:
        msgspec.convert(dict(record), _KINDS[kind][0])
    except msgspec.ValidationError as error:
        raise DataError("store.unreadable", str(record.get(kind)), reason=str(error)) from error


def recipe_row(line: RecipeLine) -> dict[str, Any]:
    """Read a recipe as a row of its table. Raises ``DataError`` where it is none."""
    document = line.document.encode()
    digest = sha256(document).hexdigest()
    said = _decoded(document, _Recipe, digest)
    row = {"digest": digest, "name": said.name, "station": said.station, "bundle_digest": said.bundle_digest}
    return {**row, "created": _in_utc(line.created, digest), "document": document}


def _decoded(document: bytes | msgspec.Raw, kind: type[Said], place: str) -> Said:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("upload.record", place, reason=str(error)) from error


def _in_utc(time: datetime, place: str) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise DataError("upload.record", place, reason=str(error)) from error
