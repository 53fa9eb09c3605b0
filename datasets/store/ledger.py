"""The ledger's chains in the database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, LargeBinary, Row, Table, cast, select, text
from sqlalchemy.sql.schema import Column

from andon.datasets.store.database import Database
from andon.datasets.store.schema import alert_events, checkpoints, inspections, ledger, signals
from andon.datasets.store.upserts import insert_latest
from andon.models.ledger.chain import Break, Entry, Head, append
from andon.models.ledger.checkpoints import Checkpoint

INSPECTION, SIGNAL, ALERT = "inspection", "signal", "alert"
"""The kinds of the entries that say what was found in a part, in a signal, and what people were to be told of a machine."""
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class _Shown:
    """Where what an entry speaks of is shown, and by which column each word of its record.

    Parameters
    ----------
    subject
        The word that names it.
    """

    table: Table
    subject: str
    columns: Mapping[str, Column[Any]]


_SHOWN: Mapping[str, _Shown] = {
    INSPECTION: _Shown(
        inspections,
        "inspection",
        {
            "inspection": inspections.c.id,
            "verdict": inspections.c.verdict,
            "image": inspections.c.image,
            "part": inspections.c.part,
        },
    ),
    SIGNAL: _Shown(
        signals,
        "signal",
        {
            "signal": signals.c.id,
            "asset": signals.c.asset,
            "severity": signals.c.severity,
            "waveform": signals.c.waveform,
        },
    ),
    ALERT: _Shown(alert_events, "alert", {"alert": alert_events.c.alert, "event": alert_events.c.event}),
}


def lock_head(connection: Connection, origin: str) -> Head:
    """Find where a chain ends, and keep others from adding to it until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:origin, 0))"), {"origin": origin})
    return head(connection, origin)


def head(connection: Connection, origin: str) -> Head:
    """Find where a chain ends."""
    last = select(ledger.c.seq, ledger.c.hash).where(ledger.c.origin == origin).order_by(ledger.c.seq.desc()).limit(1)
    found = connection.execute(last).first()
    return Head(origin, found.seq, found.hash) if found else Head(origin)


def head_of(database: Database, origin: str) -> Head:
    """Find where a chain ends now."""
    with database.reading() as connection:
        return head(connection, origin)


def row(entry: Entry) -> dict[str, Any]:
    """An entry as a row of the table."""
    return {name: getattr(entry, name) for name in ("origin", "seq", "previous", "hash", "body")}


def add(connection: Connection, origin: str, kind: str, record: Mapping[str, Any], time: datetime) -> Entry:
    """Add an entry where a chain ends; others wait to add theirs until the transaction ends."""
    entry = append(lock_head(connection, origin), kind, record, time)
    connection.execute(ledger.insert(), row(entry))
    return entry


def origins(database: Database) -> list[str]:
    """List whose chains there are."""
    with database.reading() as connection:
        found = select(_read(connection, ledger.c.origin)).distinct()
        return sorted(_text(each) for each in connection.scalars(found))


def entries(database: Database, origin: str, first: int = 1) -> Iterator[Entry]:
    """Read a chain in order, a part at a time, so that its length does not matter.

    Entries whose number was made one that none can have come last, so that whoever verifies the chain stumbles over them.
    """
    while part := _part(database, ledger.c.origin == origin, ledger.c.seq >= first):
        yield from part
        first = part[-1].seq + 1
    yield from _part(database, ledger.c.origin == origin, ledger.c.seq < 1)


def with_hash(document: bytes, ledger_hash: str | None) -> bytes:
    """Put the hash of its entry behind the last member of an answer; one that has no entry stays as it is.

    >>> with_hash(b'{"id":"a"}', "9f")
    b'{"id":"a","ledger_hash":"9f"}'
    """
    return document if ledger_hash is None else b'%b,"ledger_hash":"%b"}' % (document[:-1], ledger_hash.encode())


def entries_with_rows() -> FromClause:
    """Join entries with the rows that they speak of, where there are any."""
    joined: FromClause = ledger
    for shown in _SHOWN.values():
        columns = shown.table.c
        this_entry = (ledger.c.origin == columns.origin) & (ledger.c.seq == columns.ledger_seq)
        joined = joined.outerjoin(shown.table, this_entry)
    return joined


def find_changed_document(database: Database, origin: str) -> Break | None:
    """Compare what is shown of inspections, signals and alerts with what the ledger says of them, and find the first that differs or is gone.

    The chain must hold: it says what is true.
    """
    first = 1
    while rows := _shown(database, origin, first):
        for each in rows:
            if changed := _changed(origin, each):
                return changed
        first = rows[-1].seq + 1
    return None


def _changed(origin: str, row: Row[Any]) -> Break | None:
    said = msgspec.json.decode(row.body)
    kind, record = said["kind"], said["record"]
    if kind not in _SHOWN:
        return None
    subject, columns = _SHOWN[kind].subject, _SHOWN[kind].columns
    found = {name: getattr(row, f"{kind}_{name}") for name in (*columns, "document", "hash")}
    if found[subject] is None:
        return Break(origin, row.seq, "ledger.document", "-", record[subject])
    digest = sha256(found["document"]).hexdigest()
    shown = (digest, found["hash"], *(found[name] for name in columns))
    kept = (record["document"], row.hash, *(record[name] for name in columns))
    return None if shown == kept else Break(origin, row.seq, "ledger.document", f"{found[subject]} {digest}", kept[0])


def numbers_of(database: Database, origin: str, part: str) -> list[int]:
    """Number the entries that say something of a part, in order."""
    mine = (inspections.c.origin == origin) & (inspections.c.part == part)
    with database.reading() as connection:
        return list(connection.scalars(select(inspections.c.ledger_seq).where(mine).order_by(inspections.c.ledger_seq)))


def keep_checkpoint(database: Database, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint beside the chain, for the exports that it proves; what protects the chain is the copy elsewhere."""
    row = {"origin": checkpoint.origin, "seq": checkpoint.seq, "document": checkpoint.encode()}
    with database.writing() as connection:
        insert_latest(connection, checkpoints, {checkpoint.seq: row}, "document")


def kept_checkpoints(database: Database, origin: str) -> list[bytes]:
    """The checkpoints of a chain, in order."""
    found = select(checkpoints.c.document).where(checkpoints.c.origin == origin).order_by(checkpoints.c.seq)
    with database.reading() as connection:
        return list(connection.scalars(found))


def _shown(database: Database, origin: str, first: int) -> list[Row[Any]]:
    found = select(ledger.c.seq, ledger.c.hash, ledger.c.body)
    for kind, shown in _SHOWN.items():
        named = {**shown.columns, "document": shown.table.c.document, "hash": shown.table.c.ledger_hash}
        found = found.add_columns(*(column.label(f"{kind}_{name}") for name, column in named.items()))
    wanted = ledger.c.origin == origin, ledger.c.seq >= first
    found = found.select_from(entries_with_rows()).where(*wanted).order_by(ledger.c.seq).limit(_BATCH)
    with database.reading() as connection:
        return list(connection.execute(found))


def _part(database: Database, *conditions: ColumnElement[bool]) -> list[Entry]:
    columns = ledger.c
    with database.reading() as connection:
        texts = [_read(connection, column) for column in (columns.origin, columns.previous, columns.hash)]
        found = select(columns.seq, columns.body, *texts).where(*conditions).order_by(columns.seq).limit(_BATCH)
        rows = connection.execute(found).all()
    return [
        Entry(_text(origin), seq, _text(previous), _text(digest), body) for seq, body, origin, previous, digest in rows
    ]


def _read(connection: Connection, column: Column[str]) -> ColumnElement[Any]:
    """Read a text as the bytes that are stored: SQLite takes a damaged one, and raises when it is to be a text."""
    return cast(column, LargeBinary) if connection.dialect.name == "sqlite" else column


def _text(stored: bytes | str) -> str:
    return stored.decode(errors="backslashreplace") if isinstance(stored, bytes) else stored
