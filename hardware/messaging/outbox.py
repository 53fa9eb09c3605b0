"""What is to be told to a broker and has not been told yet: a file that outlives the process and a power cut.

SQLite with a write-ahead log: what ``add`` returned from is on disk (``synchronous=FULL``). That something was sent need not reach the disk at
once: what is forgotten of it is sent again, under the same id.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from andon.models.types.errors import ResourceError, StorageFullError

VERSION = 1
LIMIT_BYTES = 1 << 30
"""A gibibyte: two million verdicts, three weeks of a station with a takt of one second."""

REMEMBERED = 10_000
"""How many messages that were sent are known by their id, so that what is added again is not sent again."""

OVERHEAD_BYTES = 100
"""What a message takes in the file beside its texts and its body."""

_SCHEMA = """
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX waiting ON message (number) WHERE NOT sent;
CREATE INDEX sent ON message (number) WHERE sent;
CREATE INDEX waiting_of_kind ON message (kind, number) WHERE NOT sent;
CREATE TABLE dropped (kind TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
_SIZE = f"length(id) + length(topic) + length(body) + {OVERHEAD_BYTES}"


class Kind(StrEnum):
    """What a message is about, which says what becomes of it when there is no room."""

    VERDICT = "verdict"
    ALERT = "alert"
    INDICATOR = "indicator"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be told.

    Parameters
    ----------
    id
        Unique for ever; what has the id of something that was added before is the same.
    topic
        Where to, in the words of who sends it.
    """

    id: str
    kind: Kind
    topic: str
    body: bytes

    @property
    def size_bytes(self) -> int:
        """How much room it takes."""
        return len(self.id.encode()) + len(self.topic.encode()) + len(self.body) + OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Kept:
    """A message with its place in the order in which messages were added."""

    number: int
    message: Message


class OutboxError(ResourceError):
    """The file of the outbox cannot be opened, read or written."""


class Outbox:
    """Keeps messages until they are settled. Safe to use from several threads; one process at a time.

    When full, the oldest indicators make room and are counted; verdicts and alerts are never dropped: where all that waits is of those,
    more of them are refused, and more indicators dropped.

    Parameters
    ----------
    path
        The file; made where it is absent, in a folder that is there.
    limit_bytes
        How much may wait.
    remembered
        How many of those that were sent are known by id.

    Raises
    ------
    OutboxError
        The file cannot be opened, or is something else.
    """

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES, remembered: int = REMEMBERED) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._remembered = remembered
        self._writing, self._reading = Lock(), Lock()
        with self._explained(), ExitStack() as opened:
            self._writer = opened.enter_context(_opened(path, "FULL"))
            self._settler = opened.enter_context(_opened(path, "NORMAL"))
            self._reader = opened.enter_context(_opened(path, "NORMAL"))
            self._waiting_bytes = self._measure()
            self._open = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._open.close()

    def add(self, messages: Sequence[Message]) -> None:
        """Keep messages, all or none; they are on disk on return. Those whose ids are known are left as they are.

        Raises
        ------
        StorageFullError
            There is no room for a verdict or an alert, in the outbox or on the disk.
        OutboxError
            The file cannot be written.
        """
        with self._writing:
            with self._explained(), _transaction(self._writer) as connection:
                taken_bytes = self._waiting_bytes
                for message in messages:
                    taken_bytes = self._insert(connection, message, taken_bytes)
            self._waiting_bytes = taken_bytes

    def waiting(self, after: int, limit: int, until: int | None = None) -> list[Kept]:
        """List what waits, oldest first: with a number above ``after`` and at most ``until``.

        Raises
        ------
        OutboxError
            The file cannot be read.
        """
        query = "SELECT number, id, kind, topic, body FROM message WHERE NOT sent AND number > ? AND number <= ? ORDER BY number LIMIT ?"
        highest = (1 << 63) - 1 if until is None else until
        with self._reading, self._explained():
            rows = self._reader.execute(query, (after, highest, limit)).fetchall()
        return [Kept(number, Message(id_, Kind(kind), topic, body)) for number, id_, kind, topic, body in rows]

    def settle(self, numbers: Sequence[int]) -> None:
        """Note that they were received; what of this is lost to a power cut is sent once more.

        Raises
        ------
        OutboxError
            The file cannot be written.
        """
        with self._writing:
            with self._explained(), _transaction(self._settler) as connection:
                freed_bytes = sum(_settle_one(connection, number) for number in numbers)
                newest = connection.execute("SELECT coalesce(max(number), 0) FROM message").fetchone()[0]
                connection.execute("DELETE FROM message WHERE sent AND number <= ?", (newest - self._remembered,))
            self._waiting_bytes -= freed_bytes

    def newest(self) -> int:
        """Return the number of what was added last; 0 where nothing was."""
        with self._reading, self._explained():
            row = self._reader.execute("SELECT coalesce(max(number), 0) FROM message").fetchone()
        return int(row[0])

    def counts(self) -> dict[Kind, int]:
        """Count what waits."""
        return self._counted("SELECT kind, count(*) FROM message WHERE NOT sent GROUP BY kind")

    def dropped(self) -> dict[Kind, int]:
        """Count what was dropped for want of room, since the file was made."""
        return self._counted("SELECT kind, count FROM dropped")

    @property
    def waiting_bytes(self) -> int:
        """How much of ``limit_bytes`` is taken."""
        return self._waiting_bytes

    def _insert(self, connection: sqlite3.Connection, message: Message, taken_bytes: int) -> int:
        """Insert a message where ``taken_bytes`` of the room are taken; returns how much is then."""
        if connection.execute("SELECT 1 FROM message WHERE id = ?", (message.id,)).fetchone():
            return taken_bytes
        taken_bytes -= _drop_oldest(connection, taken_bytes + message.size_bytes - self._limit_bytes)
        if taken_bytes + message.size_bytes <= self._limit_bytes:
            values = (message.id, message.kind.value, message.topic, message.body)
            connection.execute("INSERT INTO message (id, kind, topic, body) VALUES (?, ?, ?, ?)", values)
            return taken_bytes + message.size_bytes
        if message.kind is not Kind.INDICATOR:
            raise StorageFullError(
                "messaging.full",
                str(self._path),
                found=taken_bytes,
                most=self._limit_bytes,
                kind=message.kind.value,
            )
        _count_dropped(connection, 1)
        return taken_bytes

    def _measure(self) -> int:
        return int(self._writer.execute(f"SELECT coalesce(sum({_SIZE}), 0) FROM message WHERE NOT sent").fetchone()[0])

    def _counted(self, query: str) -> dict[Kind, int]:
        with self._reading, self._explained():
            return {Kind(kind): count for kind, count in self._reader.execute(query)}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what went wrong with which file."""
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind, code = (StorageFullError, "messaging.disk_full") if full else (OutboxError, "messaging.outbox")
            raise kind(code, str(self._path), reason=str(error)) from error


@contextmanager
def _opened(path: Path, synchronous: str) -> Iterator[sqlite3.Connection]:
    """Open the file, and make its tables where it is new. Raises ``sqlite3.Error`` where it is something else."""
    connecting = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    with closing(connecting) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"version {version}, not {VERSION}")
        yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    with connection:  # commits, or rolls back
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def _settle_one(connection: sqlite3.Connection, number: int) -> int:
    """Note that one was received; returns how much room that leaves. It may have been dropped meanwhile."""
    row = connection.execute(f"SELECT {_SIZE} FROM message WHERE number = ? AND NOT sent", (number,)).fetchone()
    if row is None:
        return 0
    connection.execute("UPDATE message SET sent = 1, body = x'' WHERE number = ?", (number,))
    return int(row[0])


def _drop_oldest(connection: sqlite3.Connection, excess_bytes: int) -> int:
    """Drop the oldest indicators until so much is free, or none is left; returns how much room that leaves."""
    if excess_bytes <= 0:
        return 0
    query = f"SELECT number, {_SIZE} FROM message WHERE NOT sent AND kind = ? ORDER BY number"
    doomed, freed_bytes = [], 0
    for number, size in connection.execute(query, (Kind.INDICATOR.value,)):
        doomed.append((number,))
        freed_bytes += size
        if freed_bytes >= excess_bytes:
            break
    connection.executemany("DELETE FROM message WHERE number = ?", doomed)
    _count_dropped(connection, len(doomed))
    return freed_bytes


def _count_dropped(connection: sqlite3.Connection, count: int) -> None:
    connection.execute(
        "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (kind) DO UPDATE SET count = count + excluded.count",
        (Kind.INDICATOR.value, count),
    )
