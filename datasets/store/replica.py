"""What other boxes kept, taken in: their chains as they are, and the rows that their entries speak of.

Rows are made anew from what the hash of an entry covers; what travels beside it is checked against it. What comes twice is known by its hash.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from andon.datasets.store.arrivals import Arrival, read, recipe_row
from andon.datasets.store.conditions import UNTOLD, Teller
from andon.datasets.store.inspections import Kept
from andon.datasets.store.ledger import head_of, lock_head, row
from andon.datasets.store.opening import Store
from andon.datasets.store.recorder import (
    InspectionRecord,
    count_verdicts,
    insert_bundles,
    insert_stations,
    inspection_row,
    part_row,
)
from andon.datasets.store.replicated_conditions import insert_signals, insert_told, lock_assets
from andon.datasets.store.replication import Batch, EntryLine, hash_at
from andon.datasets.store.schema import dispositions, inspections, ledger, parts, recipes
from andon.datasets.store.upserts import insert_missing, insert_spans
from andon.models.alerts.case import Alert
from andon.models.ledger.chain import Entry, Head, verify
from andon.models.types.errors import ConflictError, DataError


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
    """Takes in the chains of others. Safe to use from several threads at once.

    Parameters
    ----------
    teller
        Tells people of the alerts that are taken in.
    """

    def __init__(self, store: Store, teller: Teller = UNTOLD) -> None:
        self._database = store.database
        self._blobs = store.blobs
        self._teller = teller

    def head(self, origin: str) -> Head:
        """Say where a chain ends here; at 0 where nothing of it is here."""
        return head_of(self._database, origin)

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Say which files are not here."""
        return [digest for digest in digests if not self._blobs.has(digest)]

    def put_file(self, digest: str, contents: bytes) -> None:
        """Keep a picture or a waveform; one that is here already stays.

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
        recipe_rows: dict[Hashable, dict[str, Any]] = {each["digest"]: each for each in map(recipe_row, batch.recipes)}
        arrivals = [read(entry, line, named) for entry, line in zip(entries, batch.entries, strict=True)]
        if lost := self.missing(each.file for each in arrivals if each.file):
            raise ConflictError("upload.image_absent", lost[0])
        told: Sequence[Alert] = ()
        with self._database.writing() as connection:
            head = lock_head(connection, origin)
            new = arrivals[_count_known(connection, head, entries) :]
            if new:
                lock_assets(connection, new)
                _insert(connection, origin, new, recipe_rows)
                insert_signals(connection, new)
                told = insert_told(connection, origin, new, self._teller, datetime.now(UTC))
        if told:
            self._teller.kept(told)
        kept = [Kept(each.inspection.document, each.entry.hash) for each in new if each.inspection]
        return Taken(new[-1].entry.head if new else head, kept)


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


def _insert(
    connection: Connection, origin: str, new: Sequence[Arrival], recipe_rows: Mapping[Hashable, dict[str, Any]]
) -> None:
    """Insert entries with what they say of parts, in the order of tables that the recorder keeps: so neither waits for the other for ever."""
    inspected = [(each.inspection, each) for each in new if each.inspection]
    records = [record for record, _ in inspected]
    insert_bundles(connection, records)
    insert_stations(
        connection, [*(each.station for each in records), *(each["station"] for each in recipe_rows.values())]
    )
    insert_missing(connection, recipes, recipe_rows)
    insert_spans(connection, parts, _part_rows(records))
    connection.execute(ledger.insert(), [row(each.entry) for each in new])
    if records:
        rows = [{**inspection_row(record, each.entry), "image_kept": each.file_kept} for record, each in inspected]
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


def _part_rows(records: Iterable[InspectionRecord]) -> dict[Hashable, dict[str, Any]]:
    """A row for each time that a part was seen."""
    seen = ((record.code, record.time) for record in records)
    return {(code.canonical, time): part_row(code, time) for code, time in seen if code}
