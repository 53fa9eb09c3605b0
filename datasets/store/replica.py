"""What other boxes kept, taken in: their chains as they are, and the rows that their entries speak of.

Rows are made anew from what the hash of an entry covers; what travels beside it is checked against it. What comes twice is known by its hash.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, case, select
from sqlalchemy.sql.schema import Column

from andon.datasets.store.columns import Moment
from andon.datasets.store.inspections import Kept
from andon.datasets.store.ledger import INSPECTION, head_of, lock_head, row
from andon.datasets.store.line_entries import ANSWER, UNJUDGED
from andon.datasets.store.opening import Store
from andon.datasets.store.parts import DISPOSITION, Disposition
from andon.datasets.store.recorder import (
    BundleRecord,
    InspectionRecord,
    count_verdicts,
    insert_bundles,
    insert_stations,
    inspection_row,
    part_row,
)
from andon.datasets.store.replication import (
    Batch,
    BundleLine,
    Comment,
    Digest,
    EntryLine,
    Id,
    RecipeLine,
    Text,
    Time,
    hash_at,
)
from andon.datasets.store.retention import REMOVAL
from andon.datasets.store.schema import dispositions, inspections, ledger, parts, recipes
from andon.datasets.store.upserts import insert_missing
from andon.models.codes.parsing import PartCode, parse_code
from andon.models.ledger.chain import Entry, Head, verify
from andon.models.types.errors import ConflictError, DataError

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in.

    Parameters
    ----------
    head
        Where the chain ends here now.
    inspections
        Those that were not here before, in order.
    """

    head: Head
    inspections: Sequence[Kept]


class Replica:
    """Takes in the chains of others. Safe to use from several threads at once."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._blobs = store.blobs

    def head(self, origin: str) -> Head:
        """Say where a chain ends here; at 0 where nothing of it is here."""
        return head_of(self._database, origin)

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Say which pictures are not here."""
        return [digest for digest in digests if not self._blobs.has(digest)]

    def put_image(self, digest: str, contents: bytes) -> None:
        """Keep a picture; one that is here already stays.

        Raises
        ------
        DataError
            Its bytes have another digest.
        StorageFullError, ResourceError
            It cannot be kept.
        """
        if (found := sha256(contents).hexdigest()) != digest:
            raise DataError("upload.image_digest", digest, found=found)
        self._blobs.put(contents)

    def take(self, origin: str, batch: Batch) -> Taken:
        """Take in what is not here yet: all of it in one transaction, or nothing.

        Raises
        ------
        LedgerError
            An entry was changed, belongs to another chain or does not follow the one before it.
        DataError
            What travels beside an entry is not what the entry says, or the entry is of a kind that is not known here.
        ConflictError
            The entries do not follow what is here, or name what is not here.
        ResourceError
            The database or the disk cannot be used.
        """
        entries = _checked(origin, batch.entries)
        named = {bundle.digest: bundle for bundle in batch.bundles}
        recipe_rows: dict[Hashable, dict[str, Any]] = {each["digest"]: each for each in map(_recipe_row, batch.recipes)}
        read = [_read(entry, line, named) for entry, line in zip(entries, batch.entries, strict=True)]
        self._check_images(batch.entries, read)
        with self._database.writing() as connection:
            head = lock_head(connection, origin)
            n_known = _count_known(connection, head, entries)
            new = read[n_known:]
            if new:
                _insert(connection, origin, new, recipe_rows)
        kept = [Kept(each.record.document, each.entry.hash) for each in new if each.record]
        return Taken(new[-1].entry.head if new else head, kept)

    def _check_images(self, lines: Iterable[EntryLine], read: Iterable["_Read"]) -> None:
        sent = (each.record.image for line, each in zip(lines, read, strict=True) if line.image and each.record)
        if lost := self.missing(sent):
            raise ConflictError("upload.image_absent", lost[0])


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


class _Alone(msgspec.Struct):
    """What an entry says that no row belongs to: the entry is all there is to keep."""


class _Recipe(msgspec.Struct, forbid_unknown_fields=True):
    name: Text
    station: Text | None
    bundle_digest: Digest
    document: dict[str, Any]


_KINDS: Mapping[str, type[msgspec.Struct]] = {
    INSPECTION: _Inspected,
    DISPOSITION: _Disposed,
    ANSWER: _Answered,
    UNJUDGED: _Alone,
    # The box let go of its own files: whether this store keeps its copies is for its own rules to say.
    REMOVAL: _Alone,
}


@dataclass(frozen=True, slots=True)
class _Read:
    """An entry with what it says.

    Parameters
    ----------
    record, image_kept
        The inspection, where it is one, and whether its picture is here.
    about
        The inspection that it is about, where it is about another entry's.
    """

    entry: Entry
    record: InspectionRecord | None = None
    image_kept: bool = False
    disposition: Disposition | None = None
    about: str | None = None


def _checked(origin: str, lines: Sequence[EntryLine]) -> list[Entry]:
    """Check that entries follow each other and are what their hashes say; what the first one follows is not known yet."""
    entries = [Entry(origin, each.seq, each.previous, each.hash, each.body.encode()) for each in lines]
    first = entries[0]
    if broken := verify(entries, Head(origin, first.seq - 1, first.previous)).broken:
        raise broken.error()
    return entries


def _count_known(connection: Connection, head: Head, entries: Sequence[Entry]) -> int:
    """Count the entries that are here already, where the rest follows them. One hash stands for all before it."""
    first = entries[0]
    if first.seq > head.seq + 1:
        raise ConflictError("upload.gap", f"{head.origin} {first.seq}", found=first.seq, expected=head.seq + 1)
    known = [each for each in entries if each.seq <= head.seq]
    found, place = (known[-1].hash, known[-1].seq) if known else (first.previous, head.seq)
    kept = head.hash if place == head.seq else hash_at(connection, head.origin, place)
    if found != kept:
        raise ConflictError("upload.fork", f"{head.origin} {place}", found=found, expected=kept)
    return len(known)


def _read(entry: Entry, line: EntryLine, named: Mapping[str, BundleLine]) -> _Read:
    place = f"{entry.origin} {entry.seq}"
    body = _decoded(entry.body, _Body, place)
    kind = _KINDS.get(body.kind)
    if kind is None:
        raise DataError("upload.kind", place, found=body.kind, expected=", ".join(sorted(_KINDS)))
    said = _decoded(body.record, kind, place)
    if isinstance(said, _Inspected):
        return _Read(entry, _inspection(said, line, named, _in_utc(body.time, place), place), line.image)
    if line.document is not None or line.image:
        raise DataError("upload.record", place, reason=f"a document or a picture beside an entry of kind {body.kind}")
    if isinstance(said, _Disposed):
        decided = msgspec.structs.asdict(said) | {"time": _in_utc(said.time, place)}
        return _Read(entry, disposition=Disposition(**decided), about=said.inspection)
    return _Read(entry, about=said.inspection if isinstance(said, _Answered) else None)


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


def _inspection(
    said: _Inspected, line: EntryLine, named: Mapping[str, BundleLine], time: datetime, place: str
) -> InspectionRecord:
    bundle = named.get(said.bundle_digest)
    if bundle is None:
        raise DataError("upload.no_bundle", place, found=said.bundle_digest)
    return InspectionRecord(
        id=said.inspection,
        time=time,
        code=_code(said.part, place),
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
        document=_document(said, line, place),
    )


def _code(part: str | None, place: str) -> PartCode | None:
    code = None if part is None else parse_code(part)
    if code and code.canonical != part:
        raise DataError("upload.record", place, reason=f"{part} is written {code.canonical}")
    return code


def _document(said: _Inspected, line: EntryLine, place: str) -> bytes:
    """Check the answer against the entry, as it is shown from here on."""
    document = (line.document or "").encode()
    if (found := sha256(document).hexdigest()) != said.document:
        raise DataError("upload.document", place, found=found, expected=said.document)
    shown = _decoded(document, dict[str, Any], place)
    is_same = (shown.get("id"), shown.get("verdict")) == (said.inspection, said.verdict)
    # Where it is shown, the hash of the entry is put behind its last member.
    if not is_same or "ledger_hash" in shown or not document.endswith(b"}"):
        raise DataError("upload.record", place, reason="a document that is not of this inspection")
    return document


def _recipe_row(line: RecipeLine) -> dict[str, Any]:
    document = line.document.encode()
    digest = sha256(document).hexdigest()
    said = _decoded(document, _Recipe, digest)
    row = {"digest": digest, "name": said.name, "station": said.station, "bundle_digest": said.bundle_digest}
    return {**row, "created": _in_utc(line.created, digest), "document": document}


def _insert(
    connection: Connection, origin: str, new: Sequence[_Read], recipe_rows: Mapping[Hashable, dict[str, Any]]
) -> None:
    """Insert entries with their rows, in the order of tables that the recorder keeps: so neither waits for the other for ever."""
    inspected = [(each.record, each) for each in new if each.record]
    records = [record for record, _ in inspected]
    insert_bundles(connection, records)
    insert_stations(
        connection, [*(each.station for each in records), *(each["station"] for each in recipe_rows.values())]
    )
    insert_missing(connection, recipes, recipe_rows)
    _put_parts(connection, records)
    connection.execute(ledger.insert(), [row(each.entry) for each in new])
    if records:
        rows = [{**inspection_row(record, each.entry), "image_kept": each.image_kept} for record, each in inspected]
        connection.execute(inspections.insert(), rows)
        count_verdicts(connection, records)
    _check_known(connection, origin, {each.about for each in new if each.about})
    if decided := [each.disposition for each in new if each.disposition]:
        connection.execute(dispositions.insert(), [asdict(each) for each in decided])


def _check_known(connection: Connection, origin: str, named: Collection[str]) -> None:
    """Nobody decides on what another box found, or on what is not here."""
    mine = (inspections.c.origin == origin) & inspections.c.id.in_(named)
    known = set(connection.scalars(select(inspections.c.id).where(mine))) if named else set()
    if lost := sorted(set(named) - known):
        raise ConflictError("upload.no_inspection", lost[0], origin=origin)


def _put_parts(connection: Connection, records: Sequence[InspectionRecord]) -> None:
    """Insert parts, and widen the time in which those that are known were seen: what comes late may be earlier than what is here."""
    seen: dict[str, list[InspectionRecord]] = {}
    for record in records:
        if record.code:
            seen.setdefault(record.code.canonical, []).append(record)
    if not seen:
        return
    spans = {code: (min(each.time for each in own), max(each.time for each in own)) for code, own in seen.items()}
    rows: dict[Hashable, Any] = {code: _spanning(own[0], *spans[code]) for code, own in seen.items()}
    insert_missing(connection, parts, rows)
    given = [{"of": code, "first": first, "last": last} for code, (first, last) in sorted(spans.items())]
    connection.execute(parts.update().where(parts.c.code == bindparam("of")).values(_WIDENED), given)


def _spanning(record: InspectionRecord, first: datetime, last: datetime) -> dict[str, Any]:
    assert record.code
    return {**part_row(record.code, first), "last_seen": last}


def _bound(column: Column[Any], name: str, is_beyond: str) -> ColumnElement[Any]:
    given: ColumnElement[Any] = bindparam(name, type_=Moment)
    return case((column.op(is_beyond)(given), column), else_=given)


_WIDENED: Mapping[str, ColumnElement[Any]] = {
    "first_seen": _bound(parts.c.first_seen, "first", "<"),
    "last_seen": _bound(parts.c.last_seen, "last", ">"),
}
