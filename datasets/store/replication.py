"""What a box kept, on its way into the store of another: entry for entry, with what the entries name.

A chain of the ledger is its own outbox: where it ends over there says what is still to be sent, so nothing else is remembered.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from andon.datasets.store.ledger import entries_with_rows, head_of
from andon.datasets.store.opening import Store
from andon.datasets.store.schema import alert_events, bundles, inspections, ledger, recipes, signals
from andon.models.ledger.chain import Head
from andon.models.types.errors import ConflictError, DataError
from andon.models.types.vibration import Severity

Text = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""On one line, and such as every database holds."""
Comment = Annotated[str, msgspec.Meta(max_length=4000, pattern=r"^[^\x00]*\Z")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ImageChoice(StrEnum):
    """Which pictures go with the records."""

    ALL = "all"
    FAILED = "failed"
    """Those of parts that were NG or RETAKE."""
    NONE = "none"

    def takes(self, verdict: str) -> bool:
        """Say whether the picture of a part with this verdict goes.

        >>> [ImageChoice.FAILED.takes(verdict) for verdict in ("OK", "NG", "RETAKE")]
        [False, True, True]
        """
        return self is ImageChoice.ALL or (self is ImageChoice.FAILED and verdict != "OK")


class WaveformChoice(StrEnum):
    """Which waveforms go with the records."""

    ALL = "all"
    ABNORMAL = "abnormal"
    """Those of signals whose severity is not normal, whose health was not, or that gave an alert."""
    NONE = "none"

    def takes(self, document: bytes) -> bool:
        """Say whether the waveform of a signal with this answer goes.

        Raises
        ------
        msgspec.DecodeError
            It is damaged.

        >>> WaveformChoice.ABNORMAL.takes(b'{"severity":"normal","health":null,"alerts":[]}')
        False
        """
        return self is WaveformChoice.ALL or (self is WaveformChoice.ABNORMAL and _is_abnormal(document))


class _Health(msgspec.Struct):
    anomalous: bool


class _Assessed(msgspec.Struct):
    severity: str
    health: _Health | None
    alerts: list[msgspec.Raw]


def _is_abnormal(document: bytes) -> bool:
    said = msgspec.json.decode(document, type=_Assessed)
    is_ill = said.health is not None and said.health.anomalous
    return said.severity != Severity.NORMAL.value or is_ill or bool(said.alerts)


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Which files go with the records."""

    images: ImageChoice = ImageChoice.ALL
    waveforms: WaveformChoice = WaveformChoice.ALL


class BundleLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle that judged."""

    digest: Digest
    name: Text
    kind: Text
    manifest: str


class RecipeLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe that was run. ``document`` is the canonical JSON that its digest is of."""

    created: Time
    document: str


class EntryLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of a chain.

    Parameters
    ----------
    body
        Canonical JSON, as it is chained.
    document
        What is shown, where the entry is of an inspection, a signal or an alert.
    image
        Whether the file that it names, a picture or a waveform, was sent before.
    """

    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    previous: Digest
    hash: Digest
    body: str
    document: str | None = None
    image: bool = False


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries of one chain in order, and the bundles and recipes that they name."""

    entries: Annotated[list[EntryLine], msgspec.Meta(min_length=1)]
    bundles: list[BundleLine] = []
    recipes: list[RecipeLine] = []


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much goes at once; a single entry goes however large it is.

    Parameters
    ----------
    entries
        Records.
    n_bytes
        Bytes of records, without files.
    files
        Pictures and waveforms that go before the records.
    """

    entries: int = 256
    n_bytes: int = 1 << 20
    files: int = 64


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent next.

    Parameters
    ----------
    files
        Digests of the files that go before, by the number of their entry.
    """

    batch: Batch
    files: Mapping[int, str]

    def without(self, lost: Collection[str]) -> "Parcel":
        """The same, without some files that are not kept here any more."""
        files = {seq: digest for seq, digest in self.files.items() if digest not in lost}
        entries = [msgspec.structs.replace(line, image=line.seq in files) for line in self.batch.entries]
        return Parcel(msgspec.structs.replace(self.batch, entries=entries), files)


class Outgoing:
    """Reads what is to be sent from the box's own store.

    Parameters
    ----------
    choice
        Which files go.
    limits
        How much goes at once.
    """

    def __init__(self, store: Store, choice: FileChoice, limits: BatchLimits) -> None:
        self._store = store
        self._choice = choice
        self._limits = limits

    @property
    def head(self) -> Head:
        """Where the chain ends here."""
        return head_of(self._store.database, self._store.origin)

    def check(self, there: Head) -> None:
        """Return where this chain goes on from what the other side has.

        Raises
        ------
        ConflictError
            The other side has entries that are not here: another box bears this name, or this one was set back.
        """
        here = self.head
        if there.seq > here.seq:
            raise ConflictError("upload.behind", there.origin, found=here.seq, expected=there.seq)
        if there.seq and (found := self._hash_at(there.seq)) != there.hash:
            raise ConflictError("upload.fork", f"{there.origin} {there.seq}", found=found, expected=there.hash)

    def after(self, seq: int) -> Parcel | None:
        """Read what follows an entry; None where nothing does.

        Raises
        ------
        DataError
            What follows is damaged here.
        ResourceError
            The database cannot be read.
        """
        rows = _entries_after(self._store, seq, self._limits.entries)
        try:
            files = {each.seq: digest for each in rows if (digest := self._file(each))}
            fitting = self._fitting(rows, files)
            return Parcel(self._batch(fitting, files), _of(fitting, files)) if fitting else None
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            raise DataError("upload.damaged", f"{self._store.origin} {seq + 1}", reason=str(error)) from error

    def _batch(self, rows: Sequence[Row[Any]], files: Mapping[int, str]) -> Batch:
        entries = [_line(each, each.seq in files) for each in rows]
        with self._store.database.reading() as connection:
            return Batch(entries, _bundle_lines(connection, rows), _recipe_lines(connection, rows))

    def _hash_at(self, seq: int) -> str:
        with self._store.database.reading() as connection:
            return hash_at(connection, self._store.origin, seq)

    def _file(self, each: Row[Any]) -> str | None:
        """Find the file that goes with an entry, if one does."""
        if each.waveform_kept:
            return each.waveform if self._choice.waveforms.takes(each.document) else None
        return each.image if each.image_kept and self._choice.images.takes(each.verdict) else None

    def _fitting(self, rows: Sequence[Row[Any]], files: Collection[int]) -> list[Row[Any]]:
        """Take as many as go at once."""
        n_bytes = n_files = 0
        fitting = list[Row[Any]]()
        for each in rows:
            n_bytes += len(each.body) + len(each.document or b"")
            n_files += each.seq in files
            if fitting and (n_bytes > self._limits.n_bytes or n_files > self._limits.files):
                break
            fitting.append(each)
        return fitting


def _of(rows: Iterable[Row[Any]], files: Mapping[int, str]) -> dict[int, str]:
    """The files of some entries."""
    return {each.seq: files[each.seq] for each in rows if each.seq in files}


def hash_at(connection: Connection, origin: str, seq: int) -> str:
    """Find the hash of an entry that is kept."""
    found = select(ledger.c.hash).where(ledger.c.origin == origin, ledger.c.seq == seq)
    return str(connection.scalar(found))


def _entries_after(store: Store, seq: int, limit: int) -> Sequence[Row[Any]]:
    document = func.coalesce(inspections.c.document, signals.c.document, alert_events.c.document)
    found = (
        select(ledger.c.seq, ledger.c.previous, ledger.c.hash, ledger.c.body, document.label("document"))
        .add_columns(inspections.c.verdict, inspections.c.image, inspections.c.image_kept)
        .add_columns(inspections.c.bundle_digest, inspections.c.recipe, signals.c.waveform, signals.c.waveform_kept)
        .select_from(entries_with_rows())
        .where(ledger.c.origin == store.origin, ledger.c.seq > seq)
        .order_by(ledger.c.seq)
        .limit(limit)
    )
    with store.database.reading() as connection:
        return connection.execute(found).all()


def _line(each: Row[Any], image: bool) -> EntryLine:
    document = None if each.document is None else each.document.decode()
    return EntryLine(each.seq, each.previous, each.hash, each.body.decode(), document, image)


def _bundle_lines(connection: Connection, rows: Iterable[Row[Any]]) -> list[BundleLine]:
    named = {each.bundle_digest for each in rows} - {None}
    found = select(bundles).where(bundles.c.digest.in_(named)).order_by(bundles.c.digest)
    return [BundleLine(each.digest, each.name, each.kind, each.manifest.decode()) for each in connection.execute(found)]


def _recipe_lines(connection: Connection, rows: Iterable[Row[Any]]) -> list[RecipeLine]:
    named = {each.recipe for each in rows} - {None}
    found = select(recipes).where(recipes.c.digest.in_(named)).order_by(recipes.c.digest)
    return [RecipeLine(each.created, each.document.decode()) for each in connection.execute(found)]
