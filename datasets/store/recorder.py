"""Keep inspections, each with its entry in the ledger: many at once in one transaction.

A commit waits for the disk; those that come meanwhile go into the next one together, so that a busy line costs few commits and a
single part waits for one alone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from sqlalchemy import Connection, select

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import Kept
from andon.datasets.store.ledger import lock_head, row
from andon.datasets.store.schema import bundles, inspections, ledger, parts, stations, tallies
from andon.datasets.store.upserts import add_up, insert_latest, insert_missing
from andon.models.codes.parsing import PartCode
from andon.models.ledger.chain import Entry, Head, append
from andon.models.types.errors import AndonError, ConflictError, DataError, ResourceError

MOST_AT_ONCE = 256
INSPECTION = "inspection"


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


_Waiting = tuple[InspectionRecord, Future[Kept]]


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
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._thread = Thread(target=self._work, name="recorder")
        self._starting = Lock()

    def record(self, inspection: InspectionRecord) -> Future[Kept]:
        """Keep an inspection; the future is done once it survives a power cut.

        Its error is ``ConflictError`` where its key stands for another request, ``StorageFullError`` where the disk is full,
        ``ResourceError`` where the database cannot be reached.
        """
        future: Future[Kept] = Future()
        self._waiting.put((inspection, future))
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        return future

    def close(self) -> None:
        """Keep what waits, then end."""
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self._writer.shutdown()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, ended = self._batch(first)
            self._settle(batch)
            if ended:
                return

    def _batch(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Take what waits; also say whether the end was asked for."""
        batch = [first]
        while len(batch) < MOST_AT_ONCE:
            try:
                following = self._waiting.get_nowait()
            except Empty:
                break
            if following is None:
                return batch, True
            batch.append(following)
        return batch, False

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Keep a batch, and tell whoever waits. Whatever goes wrong is carried to them: this thread goes on for the others."""
        attempt = self._writer.submit(self._write, [record for record, _ in batch])
        match attempt.exception():
            case None:
                for (_, future), answer in zip(batch, attempt.result(), strict=True):
                    _answer(future, answer)
            case AndonError() as error:
                self._fail(batch, error)
            case error:
                self._fail(batch, DataError("store.refused", batch[0][0].id, reason=str(error).partition("\n")[0]))

    def _fail(self, batch: Sequence[_Waiting], error: AndonError) -> None:
        """Tell whoever waits; but one that the database refuses must not take the others with it."""
        if len(batch) == 1 or isinstance(error, ResourceError):
            for _, future in batch:
                future.set_exception(error)
            return
        for each in batch:
            self._settle([each])

    def _write(self, records: Sequence[InspectionRecord]) -> list[Kept | ConflictError]:
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


def _answer(future: Future[Kept], answer: Kept | ConflictError) -> None:
    if isinstance(answer, ConflictError):
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


def _same(record: InspectionRecord, kept: Kept) -> Kept | ConflictError:
    if kept.request_digest == record.request_digest:
        return kept
    return ConflictError("serving.key_reused", "Idempotency-Key", found=record.request_key or "")


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
    insert_missing(connection, bundles, {record.bundle.digest: _bundle_row(record) for record in records})
    insert_missing(
        connection, stations, {each: {"name": each} for each in (record.station for record in records) if each}
    )
    insert_latest(
        connection,
        parts,
        {record.code.canonical: _part_row(record.code, record.time) for record in records if record.code},
        "last_seen",
    )
    connection.execute(ledger.insert(), [row(entry) for _, entry in new])
    connection.execute(inspections.insert(), [_row(record, entry) for record, entry in new])
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


def _part_row(code: PartCode, time: datetime) -> dict[str, Any]:
    return {
        "code": code.canonical,
        "scheme": code.scheme.value,
        "serial": code.serial,
        "first_seen": time,
        "last_seen": time,
    }


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _row(record: InspectionRecord, entry: Entry) -> dict[str, Any]:
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
