"""Keep inspections, each with its entry in the ledger: many at once in one transaction.

A commit waits for the disk; those that come meanwhile go into the next one together, so that a busy line costs few commits and a
single part waits for one alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import Kept
from andon.datasets.store.ledger import INSPECTION, lock_head, row
from andon.datasets.store.schema import bundles, inspections, ledger, parts, stations, tallies
from andon.datasets.store.upserts import add_up, insert_latest, insert_missing
from andon.models.codes.parsing import PartCode
from andon.models.ledger.chain import Entry, Head, append
from andon.models.types.errors import AndonError, ConflictError, DataError, ResourceError

MOST_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """The bundle that judged."""

    digest: str
    name: str
    kind: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class InspectionRecord:
    """An inspection that is to be kept.

    Parameters
    ----------
    image
        SHA-256 of the image, which is kept already.
    request_key, request_digest
        Under which the request may be sent again, and of what it consisted; None where it may not.
    document
        The answer as JSON, without ``ledger_hash``.
    """

    id: str
    time: datetime
    code: PartCode | None
    station: str | None
    bundle: BundleRecord
    recipe: str | None
    verdict: str
    score: float
    threshold: float
    operator: str | None
    image: str
    request_key: str | None
    request_digest: bytes | None
    document: bytes

    def ledger_record(self) -> dict[str, Any]:
        """What the ledger says of it."""
        return {
            "inspection": self.id,
            "part": self.code.canonical if self.code else None,
            "station": self.station,
            "image": self.image,
            "bundle_digest": self.bundle.digest,
            "recipe": self.recipe,
            "score": self.score,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "operator": self.operator,
            "plc_acknowledged": None,
            "document": sha256(self.document).hexdigest(),
        }


_Answer = Kept | AndonError
_Batch = list[tuple[InspectionRecord, Future[Kept]]]


class Recorder:
    """Keeps inspections in the order in which they come. Safe to use from several threads at once; end it with ``close``.

    Parameters
    ----------
    origin
        Whose ledger they go into.
    """

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._joining = Lock()
        self._open: _Batch | None = None

    def record(self, inspection: InspectionRecord) -> Future[Kept]:
        """Keep an inspection; the future is done once it survives a power cut.

        Its error is ``ConflictError`` where its key stands for another request, ``StorageFullError`` where the disk is full,
        ``ResourceError`` where the database cannot be reached.
        """
        future: Future[Kept] = Future()
        # From here on it cannot be cancelled: who waits no longer must not keep the others' answers from them.
        future.set_running_or_notify_cancel()
        with self._joining:
            batch = self._open if self._open is not None else self._begin()
            batch.append((inspection, future))
            if len(batch) == MOST_AT_ONCE:
                self._open = None
        return future

    def close(self) -> None:
        """Keep what waits, then end."""
        self._writer.shutdown()

    def _begin(self) -> _Batch:
        """Open a batch, which others join until the writer gets to it."""
        batch: _Batch = []
        self._writer.submit(self._write, batch).add_done_callback(partial(_settle, batch))
        self._open = batch
        return batch

    def _write(self, batch: _Batch) -> list[_Answer]:
        with self._joining:
            if self._open is batch:
                self._open = None
        records = [record for record, _ in batch]
        try:
            return self._kept(records)
        except ResourceError:
            raise
        except (AndonError, SQLAlchemyError, TypeError, ValueError):
            # One that the database refuses must not take the others with it.
            return [self._kept_alone(record) for record in records]

    def _kept_alone(self, record: InspectionRecord) -> _Answer:
        try:
            return self._kept([record])[0]
        except AndonError as error:
            return error
        except (SQLAlchemyError, TypeError, ValueError) as error:
            return DataError("store.refused", record.id, reason=str(error).partition("\n")[0])

    def _kept(self, records: Sequence[InspectionRecord]) -> list[_Answer]:
        """Keep records in one transaction: all that are not kept already, or none."""
        with self._database.writing() as connection:
            head = lock_head(connection, self._origin)
            before = _kept_before(connection, records)
            fresh = [record for record in _first_of_each_key(records) if record.request_key not in before]
            new = list(_chained(head, fresh))
            if new:
                _insert(connection, new)
        own = {record.id: Kept(record.document, entry.hash, record.request_digest) for record, entry in new}
        by_key = {**before, **{record.request_key: own[record.id] for record, _ in new if record.request_key}}
        return [own.get(record.id) or _same(record, by_key[record.request_key or ""]) for record in records]


def _settle(batch: _Batch, attempt: Future[list[_Answer]]) -> None:
    """Tell whoever waits, whatever became of it: nobody may wait for ever."""
    error = attempt.exception()
    answers = [error] * len(batch) if error else attempt.result()
    for (_, future), answer in zip(batch, answers, strict=True):
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _kept_before(connection: Connection, records: Sequence[InspectionRecord]) -> dict[str, Kept]:
    keys = {record.request_key for record in records} - {None}
    if not keys:
        return {}
    columns = inspections.c
    found = select(columns.request_key, columns.document, columns.ledger_hash, columns.request_digest)
    return {
        each.request_key: Kept(each.document, each.ledger_hash, each.request_digest)
        for each in connection.execute(found.where(columns.request_key.in_(keys)))
    }


def _same(record: InspectionRecord, kept: Kept) -> _Answer:
    try:
        return kept.answering(record.request_key or "", record.request_digest)
    except ConflictError as error:
        return error


def _first_of_each_key(records: Sequence[InspectionRecord]) -> Iterator[InspectionRecord]:
    seen: set[str] = set()
    for record in records:
        if record.request_key not in seen:
            yield record
        if record.request_key:
            seen.add(record.request_key)


def _chained(head: Head, records: Sequence[InspectionRecord]) -> Iterator[tuple[InspectionRecord, Entry]]:
    for record in records:
        entry = append(head, INSPECTION, record.ledger_record(), record.time)
        yield record, entry
        head = entry.head


def _insert(connection: Connection, new: Sequence[tuple[InspectionRecord, Entry]]) -> None:
    records = [record for record, _ in new]
    insert_bundles(connection, records)
    insert_stations(connection, (record.station for record in records))
    insert_latest(
        connection,
        parts,
        {record.code.canonical: part_row(record.code, record.time) for record in records if record.code},
        "last_seen",
    )
    connection.execute(ledger.insert(), [row(entry) for _, entry in new])
    connection.execute(inspections.insert(), [inspection_row(record, entry) for record, entry in new])
    count_verdicts(connection, records)


def insert_bundles(connection: Connection, records: Sequence[InspectionRecord]) -> None:
    """Insert the bundles that judged, unless they are there: each has served from its first record on."""
    insert_missing(connection, bundles, {record.bundle.digest: _bundle_row(record) for record in reversed(records)})


def insert_stations(connection: Connection, names: Iterable[str | None]) -> None:
    """Insert the stations that are named, unless they are there."""
    insert_missing(connection, stations, {name: {"name": name} for name in names if name})


def count_verdicts(connection: Connection, records: Sequence[InspectionRecord]) -> None:
    """Add records to the tallies of their hours."""
    counts = Counter((_hour(each.time), each.station or "", each.bundle.name, each.verdict) for each in records)
    add_up(connection, tallies, counts)


def _bundle_row(record: InspectionRecord) -> dict[str, Any]:
    bundle = record.bundle
    return {
        "digest": bundle.digest,
        "name": bundle.name,
        "kind": bundle.kind,
        "manifest": bundle.manifest,
        "served_from": record.time,
    }


def part_row(code: PartCode, time: datetime) -> dict[str, Any]:
    """A part that was seen at ``time`` as a row of its table."""
    return {
        "code": code.canonical,
        "scheme": code.scheme.value,
        "serial": code.serial,
        "first_seen": time,
        "last_seen": time,
    }


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def inspection_row(record: InspectionRecord, entry: Entry) -> dict[str, Any]:
    """A record and its entry in the ledger as a row of the table."""
    return {
        "id": record.id,
        "time": record.time,
        "part": record.code.canonical if record.code else None,
        "station": record.station,
        "model": record.bundle.name,
        "bundle_digest": record.bundle.digest,
        "recipe": record.recipe,
        "verdict": record.verdict,
        "score": record.score,
        "threshold": record.threshold,
        "operator": record.operator,
        "image": record.image,
        "image_kept": True,
        "request_key": record.request_key,
        "request_digest": record.request_digest,
        "origin": entry.origin,
        "ledger_seq": entry.seq,
        "ledger_hash": entry.hash,
        "document": record.document,
    }
