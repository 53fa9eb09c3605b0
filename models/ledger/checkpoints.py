"""Checkpoints: where a chain ended at a time, signed, and kept away from the machine that writes the chain.

A chain that was cut before a checkpoint or written anew no longer holds the entry that the checkpoint names. What was written after the
last checkpoint can still be taken away unseen, so how often one leaves the machine says how much can.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from andon.models.ledger.canonical import encode
from andon.models.ledger.chain import SCHEMA_VERSION, Break, Entry, Head, Verification, find_break
from andon.models.ledger.errors import LedgerError
from andon.models.signing.keys import PublicKey, SigningKey

KIND = "checkpoint"
"""``type`` of the document, so that a signature of one never passes for that of anything else."""

Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Signature = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Says that a chain had an entry of this number and hash.

    Parameters
    ----------
    time
        When it was signed, in UTC.
    key
        Fingerprint of the public key that it is checked with.
    signature
        Ed25519 over the canonical JSON of all the rest.
    """

    origin: str
    seq: int
    hash: str
    time: datetime
    key: str
    signature: bytes
    schema_version: int = SCHEMA_VERSION

    @property
    def head(self) -> Head:
        """Where the chain ended."""
        return Head(self.origin, self.seq, self.hash)

    def signed(self) -> dict[str, Any]:
        """What the signature is of."""
        return _signed(self.head, self.time, self.key, self.schema_version)

    def encode(self) -> bytes:
        """Its document: canonical JSON on one line."""
        return encode({**self.signed(), "signature": self.signature.hex()})


class _Document(msgspec.Struct):
    """Members that it does not know show when it is written again."""

    type: Literal["checkpoint"]
    schema_version: int
    origin: str
    seq: Annotated[int, msgspec.Meta(ge=0)]
    hash: Hash
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    key: str
    signature: Signature


def sign_checkpoint(head: Head, time: datetime, key: SigningKey) -> Checkpoint:
    """Sign where a chain ends. ``time`` has a time zone."""
    time = time.astimezone(UTC)
    fingerprint = key.public.fingerprint
    payload = encode(_signed(head, time, fingerprint, SCHEMA_VERSION))
    return Checkpoint(head.origin, head.seq, head.hash, time, fingerprint, key.sign(payload))


def read_checkpoint(document: bytes, key: PublicKey, subject: str) -> Checkpoint:
    """Read a checkpoint and check its signature.

    Parameters
    ----------
    document
        As ``Checkpoint.encode`` gives it, with or without the end of its line.
    subject
        Where it came from, for errors.

    Raises
    ------
    LedgerError
        It is no checkpoint, is written in another way than it was signed, belongs to another key, or a byte of it was changed.
    """
    found = _parsed(document, subject)
    if found.key != key.fingerprint:
        raise LedgerError("ledger.checkpoint_key", subject, found=found.key, expected=key.fingerprint)
    if not key.verify(encode(found.signed()), found.signature):
        raise LedgerError("ledger.checkpoint_signature", subject, key=found.key)
    return found


def verify_against(entries: Iterable[Entry], head: Head, checkpoints: Iterable[Checkpoint]) -> Verification:
    """Check entries as ``verify`` does, and that the chain still holds what each checkpoint names. One pass.

    Parameters
    ----------
    checkpoints
        Of this chain, in any order, their signatures checked. Those of entries before ``head`` say nothing of what follows it.

    Returns
    -------
    Where the chain was written anew, the head is the last that a checkpoint confirms: some entry after it is not what it was.
    """
    checkpoints = tuple(checkpoints)
    foreign = next((each.origin for each in checkpoints if each.origin != head.origin), None)
    if foreign is not None:
        return Verification(head, Break(head.origin, head.seq, "ledger.foreign", foreign, head.origin))
    signed: defaultdict[int, list[Checkpoint]] = defaultdict(list)
    for each in checkpoints:
        signed[each.seq].append(each)
    return _follow(entries, head, signed)


def verify_chains(chains: Mapping[str, Iterable[Entry]], checkpoints: Iterable[Checkpoint]) -> Iterator[Verification]:
    """Check every chain from its beginning, and those that only a checkpoint knows of: such a chain was taken away.

    Parameters
    ----------
    chains
        Entries by origin; each is read only when its turn comes.
    """
    by_origin: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for each in checkpoints:
        by_origin[each.origin].append(each)
    for origin in sorted(chains.keys() | by_origin.keys()):
        if origin in chains:
            yield verify_against(chains[origin], Head(origin), by_origin[origin])
        else:
            latest = max(by_origin[origin], key=_seq)
            yield Verification(Head(origin), Break(origin, 1, "ledger.unknown_origin", "0", str(latest.seq)))


def _follow(entries: Iterable[Entry], head: Head, signed: Mapping[int, Sequence[Checkpoint]]) -> Verification:
    if rewritten := _contradiction(head, signed):
        return Verification(head, rewritten)
    confirmed = head
    for entry in entries:
        if broken := find_break(entry, head):
            return Verification(head, broken, confirmed.seq)
        head = entry.head
        if head.seq in signed:
            if rewritten := _contradiction(head, signed):
                return Verification(confirmed, rewritten, confirmed.seq)
            confirmed = head
    return Verification(head, _cut(head, signed), confirmed.seq)


def _contradiction(head: Head, signed: Mapping[int, Sequence[Checkpoint]]) -> Break | None:
    for each in signed.get(head.seq, ()):
        if each.hash != head.hash:
            return Break(head.origin, head.seq, "ledger.rewritten", head.hash, each.hash)
    return None


def _cut(head: Head, signed: Mapping[int, Sequence[Checkpoint]]) -> Break | None:
    latest = max(signed, default=0)
    if latest <= head.seq:
        return None
    return Break(head.origin, head.seq + 1, "ledger.cut", str(head.seq), str(latest))


def _seq(checkpoint: Checkpoint) -> int:
    return checkpoint.seq


def _signed(head: Head, time: datetime, key: str, schema_version: int) -> dict[str, Any]:
    return {
        "type": KIND,
        "schema_version": schema_version,
        "origin": head.origin,
        "seq": head.seq,
        "hash": head.hash,
        "time": time.isoformat(),
        "key": key,
    }


def _parsed(document: bytes, subject: str) -> Checkpoint:
    try:
        said = msgspec.json.decode(document, type=_Document)
        if said.schema_version != SCHEMA_VERSION:
            raise LedgerError("ledger.schema", subject, found=said.schema_version, expected=SCHEMA_VERSION)
        found = Checkpoint(said.origin, said.seq, said.hash, said.time, said.key, bytes.fromhex(said.signature))
        written = found.encode()
    except (ValueError, RecursionError) as error:
        raise LedgerError("ledger.checkpoint_form", subject, reason=str(error)) from error
    if written != document.removesuffix(b"\n"):
        raise LedgerError("ledger.checkpoint_form", subject, reason="RFC 8785")
    return found
