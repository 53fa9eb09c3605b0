"""Exports that prove themselves: whoever has the file and the public key can check it, and sees no other record.

A line of an export is a JSON object with one of three values of ``type``:

- ``entry``: a record that was asked for, with ``origin, seq, previous, hash, body``;
- ``link``: an entry that was not asked for, as the digest of its body;
- ``checkpoint``: what the entries and links before it lead to, signed (``checkpoints``).

From the first entry on, ``linked`` is applied line by line; what comes out must be the hash that the checkpoint holds. An export does not
say that nothing was left out of it.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

import msgspec

from andon.models.ledger.chain import Entry, Head, digest_of, find_break, linked
from andon.models.ledger.checkpoints import Checkpoint, Hash, read_checkpoint
from andon.models.ledger.errors import LedgerError
from andon.models.signing.keys import PublicKey


class EntryLine(msgspec.Struct, tag_field="type", tag="entry"):
    """A record that was asked for."""

    origin: str
    seq: Annotated[int, msgspec.Meta(ge=1)]
    previous: Hash
    hash: Hash
    body: str

    @property
    def entry(self) -> Entry:
        """The entry as it is stored."""
        return Entry(self.origin, self.seq, self.previous, self.hash, self.body.encode())


class LinkLine(msgspec.Struct, tag_field="type", tag="link"):
    """An entry that was not asked for."""

    digest: Hash


class CheckpointLine(msgspec.Struct, tag_field="type", tag="checkpoint"):
    """Read by ``read_checkpoint``."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries that were asked for and the first checkpoint after them: what is between must be read to prove them.

    Parameters
    ----------
    wanted
        Numbers of entries, ascending.
    """

    wanted: tuple[int, ...]
    checkpoint: Checkpoint

    @property
    def first(self) -> int:
        """The number of the first entry that must be read; the last is that of the checkpoint."""
        return self.wanted[0]


_Line = EntryLine | LinkLine | CheckpointLine
_DECODER: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)
_ENCODER = msgspec.json.Encoder(order="sorted")


def segments(origin: str, wanted: Iterable[int], checkpoints: Iterable[Checkpoint]) -> Iterator[Segment]:
    """Divide the entries that are asked for by the checkpoints that prove them.

    Parameters
    ----------
    wanted
        Numbers of entries of one chain, ascending.
    checkpoints
        Of that chain, in any order.

    Raises
    ------
    LedgerError
        No checkpoint has been signed since an entry was written.
    """
    signed = sorted(checkpoints, key=lambda each: each.seq)
    numbers = [each.seq for each in signed]
    for place, group in groupby(wanted, key=lambda seq: bisect_left(numbers, seq)):
        together = tuple(group)
        if place == len(signed):
            last = numbers[-1] if numbers else 0
            raise LedgerError("ledger.unsigned", f"{origin} {together[0]}", found=last)
        yield Segment(together, signed[place])


def export_lines(entries: Iterable[Entry], segment: Segment) -> Iterator[bytes]:
    """Write the lines that prove a segment, each with its end.

    Parameters
    ----------
    entries
        Of the chain from ``segment.first`` on, in order; what follows the checkpoint is not read.

    Raises
    ------
    LedgerError
        The chain does not hold there, or does not lead to the checkpoint: there is no proof.
    """
    head: Head | None = None
    wanted = frozenset(segment.wanted)
    for entry in entries:
        head = _followed(entry, head or Head(segment.checkpoint.origin, segment.first - 1, entry.previous))
        yield _line(entry, wanted)
        if head.seq == segment.checkpoint.seq:
            break
    _compare(head, segment.checkpoint, f"{segment.checkpoint.origin} {segment.checkpoint.seq}")
    yield segment.checkpoint.encode() + b"\n"


def proven_entries(lines: Iterable[bytes], key: PublicKey, subject: str) -> Iterator[Entry]:
    """Read the records of an export, each once its checkpoint was reached.

    Parameters
    ----------
    lines
        Of the file, as it gives them.
    key
        Of those who signed; not from the file.
    subject
        The file, for errors.

    Raises
    ------
    LedgerError
        A line is not as ``export_lines`` writes it, an entry was changed, the lines do not lead to what a checkpoint holds, a
        signature is not of this key, or what follows the last checkpoint proves nothing.
    """
    head: Head | None = None
    pending: list[Entry] = []
    number = 0
    for number, line in enumerate(lines, 1):
        place = f"{subject}:{number}"
        said = _read(line, place)
        if isinstance(said, CheckpointLine):
            _compare(head, read_checkpoint(line, key, place), place)
            yield from pending
            head, pending = None, []
            continue
        head = _advanced(said, head, place)
        if isinstance(said, EntryLine):
            pending.append(said.entry)
    if head is not None or number == 0:
        raise LedgerError("ledger.export_end", f"{subject}:{number}")


def verify_export(lines: Iterable[bytes], key: PublicKey, subject: str) -> int:
    """Check an export from the file alone, and count the records it proves. Parameters and errors as of ``proven_entries``."""
    return sum(1 for _ in proven_entries(lines, key, subject))


def _line(entry: Entry, wanted: Collection[int]) -> bytes:
    if entry.seq not in wanted:
        return _written(LinkLine(digest_of(entry.body)))
    return _written(EntryLine(entry.origin, entry.seq, entry.previous, entry.hash, entry.body.decode()))


def _written(line: EntryLine | LinkLine) -> bytes:
    return _ENCODER.encode(line) + b"\n"


def _read(line: bytes, place: str) -> _Line:
    """Read a line; nothing in it may be without effect, so that no byte changes unseen."""
    try:
        said = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        raise LedgerError("ledger.export_line", place, reason=str(error)) from error
    if not isinstance(said, CheckpointLine) and _written(said) != line.removesuffix(b"\n") + b"\n":
        raise LedgerError("ledger.export_line", place, reason="JSON")
    return said


def _advanced(line: EntryLine | LinkLine, head: Head | None, place: str) -> Head:
    if isinstance(line, EntryLine):
        return _followed(line.entry, head or Head(line.origin, line.seq - 1, line.previous))
    if head is None:
        raise LedgerError("ledger.export_start", place)
    return Head(head.origin, head.seq + 1, linked(head.hash, line.digest))


def _followed(entry: Entry, head: Head) -> Head:
    if broken := find_break(entry, head):
        raise broken.error()
    return entry.head


def _compare(head: Head | None, checkpoint: Checkpoint, subject: str) -> None:
    if head is None:
        raise LedgerError("ledger.export_start", subject)
    if head != checkpoint.head:
        raise LedgerError("ledger.unproven", subject, found=_shown(head), expected=_shown(checkpoint.head))


def _shown(head: Head) -> str:
    return f"{head.origin} {head.seq} {head.hash}"
