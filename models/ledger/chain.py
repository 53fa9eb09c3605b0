"""The chain: every entry's hash covers the hash of the one before it.

The construction is that of Haber and Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3 (1991), linear linking;
bodies are canonical JSON (RFC 8785), hashes SHA-256. The hash of an entry is that of two digests, so that an entry can be proven without
showing those around it (``proof``). A chain alone shows changed, swapped, missing and inserted entries. It does not show a cut tail or a
chain that was written anew from some entry on: signed checkpoints kept elsewhere do (``checkpoints``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from andon.models.ledger.canonical import encode, is_canonical, plain_float
from andon.models.ledger.errors import LedgerError

SCHEMA_VERSION = 1
GENESIS = "0" * 64
"""What the first entry holds in place of a hash."""
_COLUMNS = (str, int, str, str, bytes)

_Finding = tuple[str, str, str]
"""A message code, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the number and the hash of its last entry."""

    origin: str
    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored.

    Parameters
    ----------
    origin
        Whose chain it is: one for each place that writes.
    seq
        Counts from 1.
    previous, hash
        In hexadecimal digits; ``hash`` is ``linked(previous, digest_of(body))``.
    body
        Canonical JSON: ``schema_version, origin, seq, time, kind, record``.
    """

    origin: str
    seq: int
    previous: str
    hash: str
    body: bytes

    @property
    def head(self) -> Head:
        """Where the chain ends with it."""
        return Head(self.origin, self.seq, self.hash)

    def document(self) -> dict[str, Any]:
        """Its body, decoded. Raises ``msgspec.DecodeError`` where it is damaged; one that was verified is not."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Break:
    """The first entry that does not hold, as a message code with what was found and expected.

    Parameters
    ----------
    seq
        Which entry should have stood there.
    """

    origin: str
    seq: int
    code: str
    found: str
    expected: str

    @property
    def subject(self) -> str:
        """The entry, for a message."""
        return f"{self.origin} {self.seq}"

    def error(self) -> LedgerError:
        """The same as an error, for those who cannot go on."""
        return LedgerError(self.code, self.subject, found=self.found, expected=self.expected)


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a chain holds: where the part that holds ends, and what breaks it, if anything does.

    Parameters
    ----------
    confirmed
        The number of the last entry that a checkpoint confirms.
    """

    head: Head
    broken: Break | None = None
    confirmed: int = 0


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    origin: str
    record: dict[str, Any]
    schema_version: int
    seq: int
    time: str


class _AnyBody(msgspec.Struct):
    schema_version: int


_DECODER = msgspec.json.Decoder(_Body, float_hook=plain_float)


def digest_of(body: bytes) -> str:
    """SHA-256 of an entry's body, in hexadecimal digits."""
    return sha256(body).hexdigest()


def linked(previous: str, digest: str) -> str:
    """Hash an entry: SHA-256 over the hash before it and the digest of its body, both as hexadecimal digits.

    >>> linked(GENESIS, digest_of(b"{}"))[:16]
    '09ad20dc4e5df156'
    """
    return sha256(f"{previous}{digest}".encode()).hexdigest()


def append(head: Head, kind: str, record: Mapping[str, Any], time: datetime) -> Entry:
    """Make the entry that follows ``head``.

    Parameters
    ----------
    record
        Plain values that JSON holds.
    time
        In UTC.

    Raises
    ------
    LedgerError
        The record holds what canonical JSON cannot: another type, a number that is not finite or a whole number beyond 2**53.

    >>> from datetime import UTC
    >>> first = append(Head("box"), "inspection", {"serial": "A1"}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> first.seq, append(first.head, "inspection", {}, datetime(2026, 1, 1, tzinfo=UTC)).previous == first.hash
    (1, True)
    """
    seq = head.seq + 1
    said = {
        "schema_version": SCHEMA_VERSION,
        "origin": head.origin,
        "seq": seq,
        "time": time.isoformat(),
        "kind": kind,
        "record": dict(record),
    }
    try:
        body = encode(said)
    except (ValueError, RecursionError) as error:
        raise LedgerError("ledger.record", f"{head.origin} {seq}", reason=str(error)) from error
    return Entry(head.origin, seq, head.hash, linked(head.hash, digest_of(body)), body)


def verify(entries: Iterable[Entry], head: Head) -> Verification:
    """Check entries of one chain that follow ``head``, up to the first that does not hold.

    Parameters
    ----------
    entries
        By their numbers, ascending. Those with numbers below 1, which only damage makes, belong at the end: so the last entry, whose
        number was damaged, is named as well.
    """
    for entry in entries:
        if broken := find_break(entry, head):
            return Verification(head, broken)
        head = entry.head
    return Verification(head)


def find_break(entry: Entry, head: Head) -> Break | None:
    """Say why ``entry`` does not follow ``head``; None where it does."""
    finding = _in_columns(entry, head) or _in_body(entry)
    return finding and Break(head.origin, head.seq + 1, *finding)


def _in_columns(entry: Entry, head: Head) -> _Finding | None:
    """Compare every column with what follows ``head``. A damaged database may give another type than was put in."""
    columns = (entry.origin, entry.seq, entry.previous, entry.hash, entry.body)
    if (types := tuple(map(type, columns))) != _COLUMNS:
        return "ledger.types", _names(types), _names(_COLUMNS)
    if entry.origin != head.origin:
        return "ledger.foreign", entry.origin, head.origin
    if entry.seq != head.seq + 1:
        code = "ledger.missing" if entry.seq > head.seq else "ledger.repeated"
        return code, str(entry.seq), str(head.seq + 1)
    if entry.previous != head.hash:
        return "ledger.unlinked", entry.previous, head.hash
    digest = linked(head.hash, digest_of(entry.body))
    return None if digest == entry.hash else ("ledger.changed", digest, entry.hash)


def _in_body(entry: Entry) -> _Finding | None:
    """Read the body as if its hash had been made by an enemy: it must be one that ``append`` could have written."""
    try:
        said = _DECODER.decode(entry.body)
    except (ValueError, RecursionError) as error:
        return _unreadable(entry.body, error)
    if said.schema_version != SCHEMA_VERSION:
        return "ledger.schema", str(said.schema_version), str(SCHEMA_VERSION)
    if (said.origin, said.seq) != (entry.origin, entry.seq):
        return "ledger.mislabelled", f"{said.origin} {said.seq}", f"{entry.origin} {entry.seq}"
    return None if is_canonical(entry.body, said) else ("ledger.not_canonical", "JSON", "RFC 8785")


def _unreadable(body: bytes, error: Exception) -> _Finding:
    """What a later version wrote may have other members, and is not damaged."""
    try:
        version = msgspec.json.decode(body, type=_AnyBody).schema_version
    except (ValueError, RecursionError):
        return "ledger.malformed", str(error), "JSON"
    if version > SCHEMA_VERSION:
        return "ledger.schema", str(version), str(SCHEMA_VERSION)
    return "ledger.malformed", str(error), "JSON"


def _names(types: Iterable[type]) -> str:
    return ", ".join(each.__name__ for each in types)
