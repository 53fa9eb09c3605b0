"""What is kept and for how long: images and waveforms go, records stay.

An image is let go by a transaction that says so in the ledger, and its file is removed after that. A process that is killed in between
leaves a file that nothing names; ``sweep`` finds it. Nothing here removes an inspection, a signal, a document or an entry of the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, func, select, type_coerce
from sqlalchemy.sql.schema import Column

from andon.datasets.store.accounts import AUDIT_KEPT, Accounts
from andon.datasets.store.blobs import BlobStore
from andon.datasets.store.database import Database
from andon.datasets.store.ledger import lock_head, row
from andon.datasets.store.outbox import forget_settled
from andon.datasets.store.schema import alerts, dispositions, health, inspections, ledger, signals
from andon.models.alerts.case import CaseState
from andon.models.ledger.chain import append
from andon.models.types.errors import DataError
from andon.models.types.identifiers import first_id

REMOVAL = "removal"
"""The kind of the ledger's entry that says what was let go."""
BEFORE_ALERT = timedelta(days=30)
"""How long before an open case its machine's waveforms are needed: a bearing's damage shows weeks before an alert does."""
ORPHAN_AGE = timedelta(days=1)
"""A file that nothing names may belong to a request that runs; none runs for a day."""
_SWEPT = 500
"""Files that are looked up at once."""


@dataclass(frozen=True, slots=True)
class KeepingRules:
    """How long what is kept. Days count from when it came.

    Parameters
    ----------
    ok_days
        Images of parts that were OK: a quarter, in which most complaints come.
    ng_days
        Images of parts that were NG and that somebody decided on: three years, as they teach the next model and answer claims.
    retake_days
        Images that could not be judged: a month, enough to find what is wrong with a camera.
    undecided_days
        Images of NG parts that nobody decided on; None keeps them until somebody does.
    healthy_days
        Waveforms of machines that never had an alert: half a year of baseline; their indicators stay.
    ill_days
        Waveforms of machines that had one: three years, as they are rare and teach.
    least_days
        Nothing younger goes, however full the disk is: a week, in which people come back from days off.
    min_free_bytes
        Where less is free, the oldest that may go does, whatever its age: twice what the service keeps free for itself.
    health_days
        What bundles remember of sensors, where a bundle judged none for that long.
    told_days
        Notices that were sent or given up.
    audit_days
        Who did what; never less than six months.
    batch
        Rows a transaction: others wait for it only some milliseconds.
    batches
        Transactions a run, so that one ends.

    Raises
    ------
    DataError
        A number is below what it may be.
    """

    ok_days: float = 90
    ng_days: float = 1095
    retake_days: float = 30
    undecided_days: float | None = None
    healthy_days: float = 180
    ill_days: float = 1095
    least_days: float = 7
    min_free_bytes: int = 1 << 30
    health_days: float = 180
    told_days: float = 90
    audit_days: float = 365
    batch: int = 500
    batches: int = 200

    def __post_init__(self) -> None:
        """Check the numbers."""
        least: Mapping[str, float] = {"batch": 1, "batches": 1, "audit_days": AUDIT_KEPT.days}
        for name in self.__slots__:
            found = getattr(self, name)
            if found is not None and not found >= least.get(name, 0):
                raise DataError("keeping.too_low", name, found=str(found), expected=str(least.get(name, 0)))


@dataclass(frozen=True, slots=True)
class Limit:
    """What goes by one rule: the rows of one kind that came before ``before``, and whose entries are up to ``sent``; None for all."""

    rule: str
    kind: str
    before: datetime
    sent: int | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was let go, or would be.

    Parameters
    ----------
    images, waveforms
        Records whose file is no longer kept.
    files, freed_bytes
        What was removed from the disk; a file that another record names stays.
    rows
        Other rows that ended, by table.
    """

    images: int = 0
    waveforms: int = 0
    files: int = 0
    freed_bytes: int = 0
    rows: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of row that names a file."""

    table: Table
    digest: Column[str]
    kept: Column[bool]
    condition: ColumnElement[bool]


def limits(rules: KeepingRules, now: datetime, sent: int | None = None) -> tuple[Limit, ...]:
    """Say what goes by its age, kind by kind; nothing younger than the least age, and no file of an entry after ``sent``."""
    days = {
        "ok": rules.ok_days,
        "ng": rules.ng_days,
        "retake": rules.retake_days,
        "undecided": rules.undecided_days,
        "healthy": rules.healthy_days,
        "ill": rules.ill_days,
    }
    return tuple(
        Limit(f"{kind}_days", kind, _days_before(now, max(each, rules.least_days)), sent)
        for kind, each in days.items()
        if each is not None
    )


def pressed(rules: KeepingRules, now: datetime) -> tuple[Limit, ...]:
    """Say what may go where the disk is nearly full: all that ever goes, from the least age on."""
    before = _days_before(now, rules.least_days)
    return tuple(Limit("min_free_bytes", each.kind, before) for each in limits(rules, now))


def prune(
    database: Database,
    blobs: BlobStore,
    origin: str,
    rules: KeepingRules,
    now: datetime,
    free_bytes: int,
    sent: int | None = None,
) -> Pruned:
    """Let go what the rules no longer keep.

    Parameters
    ----------
    origin
        In whose chain of the ledger it is said.
    free_bytes
        How much is free on the disk of ``blobs``.
    sent
        The last entry of this chain that a service has: files of later ones go only where the disk is nearly full. None where none are sent.

    Raises
    ------
    ResourceError
        The database or the disk cannot be used; what was let go until then is, and a later run goes on.
    """
    pruning = _Pruning(database, blobs, origin, rules.batch)
    done, left = Pruned(), rules.batches
    for limit in limits(rules, now, sent):
        while left and (part := pruning.step((limit,))):
            done, left = _sum(done, part), left - 1
    while left and free_bytes + done.freed_bytes < rules.min_free_bytes and (part := pruning.step(pressed(rules, now))):
        done, left = _sum(done, part), left - 1
    return replace(done, rows=_end_rows(database, rules, now))


def plan(database: Database, rules: KeepingRules, now: datetime) -> dict[str, int]:
    """Count by rule what ``prune`` would let go by its age; nothing is changed.

    Raises
    ------
    ResourceError
        The database cannot be reached.
    """
    with database.reading() as connection:
        return {limit.rule: _count(connection, limit) for limit in limits(rules, now)}


def sweep(database: Database, blobs: BlobStore, now: datetime) -> int:
    """Remove the files that no kept record names and that are older than a day, and count them.

    They are left by a process that was killed between its file and its record.

    Raises
    ------
    ResourceError
        The database or the disk cannot be used.
    """
    count = 0
    for part in _parts(blobs.files_before(now - ORPHAN_AGE), _SWEPT):
        with database.reading() as connection:
            named = _named(connection, [path.rpartition("/")[2] for path in part])
        orphans = [path for path in part if path.rpartition("/")[2] not in named]
        for path in orphans:
            blobs.remove_file(path)
        count += len(orphans)
    return count


class _Pruning:
    """One run: a batch is a transaction, then its files."""

    def __init__(self, database: Database, blobs: BlobStore, origin: str, batch: int) -> None:
        self._database = database
        self._blobs = blobs
        self._origin = origin
        self._batch = batch

    def step(self, chosen: Sequence[Limit]) -> Pruned | None:
        """Let go the oldest batch within the limits; None where there is nothing."""
        with self._database.writing() as connection:
            head = lock_head(connection, self._origin)
            found = _oldest(connection, chosen, self._batch)
            if not found:
                return None
            for kind, rows in _by_kind(found).items():
                _let_go(connection, _KINDS[kind], [each[0] for each in rows])
            digests = sorted({digest for _, digest, _ in found})
            gone = sorted(set(digests) - _named(connection, digests))
            images = sum(kind in _IMAGES for _, _, kind in found)
            record = {
                "rule": chosen[0].rule,
                "before": max(each.before for each in chosen).isoformat(),
                "images": images,
                "waveforms": len(found) - images,
                "digests": gone,
            }
            connection.execute(ledger.insert(), [row(append(head, REMOVAL, record, datetime.now(UTC)))])
        files, freed = self._remove(gone)
        return Pruned(images, len(found) - images, files, freed)

    def _remove(self, digests: Sequence[str]) -> tuple[int, int]:
        """Remove files, except those that a record has named since."""
        with self._database.reading() as connection:
            named = _named(connection, digests)
        sizes = [self._blobs.remove(digest) for digest in digests if digest not in named]
        return sum(size > 0 for size in sizes), sum(sizes)


def _verdict(verdict: str) -> ColumnElement[bool]:
    return inspections.c.verdict == verdict


def _us(moment: Column[Any]) -> ColumnElement[int]:
    return type_coerce(moment, BigInteger)


_DECIDED = select(dispositions.c.id).where(dispositions.c.inspection == inspections.c.id).exists()
_HAD_ALERT = select(alerts.c.id).where(alerts.c.asset == signals.c.asset).exists()
_NEEDED = (
    select(alerts.c.id)
    .where(
        alerts.c.asset == signals.c.asset,
        alerts.c.state != CaseState.RESOLVED.value,
        _us(signals.c.time) >= _us(alerts.c.opened) - BEFORE_ALERT // timedelta(microseconds=1),
    )
    .exists()
)


def _image(condition: ColumnElement[bool]) -> _Kind:
    return _Kind(inspections, inspections.c.image, inspections.c.image_kept, condition)


def _waveform(condition: ColumnElement[bool]) -> _Kind:
    return _Kind(signals, signals.c.waveform, signals.c.waveform_kept, condition & ~_NEEDED)


_KINDS: Mapping[str, _Kind] = {
    "ok": _image(_verdict("OK")),
    "ng": _image(_verdict("NG") & _DECIDED),
    "retake": _image(_verdict("RETAKE")),
    "undecided": _image(_verdict("NG") & ~_DECIDED),
    "healthy": _waveform(~_HAD_ALERT),
    "ill": _waveform(_HAD_ALERT),
}
_IMAGES = frozenset({"ok", "ng", "retake", "undecided"})

_Found = tuple[str, str, str]
"""A row's identifier, the digest that it names, and its kind."""


def _matching(limit: Limit) -> ColumnElement[bool]:
    """Rows of a kind that came before a moment: their identifiers lead with when they were made."""
    kind = _KINDS[limit.kind]
    old = kind.kept & (kind.table.c.id < first_id(limit.before)) & kind.condition
    columns = kind.table.c
    # What has no entry is never sent.
    return old if limit.sent is None else old & (columns.ledger_seq.is_(None) | (columns.ledger_seq <= limit.sent))


def _oldest(connection: Connection, chosen: Sequence[Limit], most: int) -> list[_Found]:
    found = list[_Found]()
    for limit in chosen:
        kind = _KINDS[limit.kind]
        rows = select(kind.table.c.id, kind.digest).where(_matching(limit)).order_by(kind.table.c.id).limit(most)
        found += [(identifier, digest, limit.kind) for identifier, digest in connection.execute(rows)]
    return sorted(found)[:most]


def _count(connection: Connection, limit: Limit) -> int:
    found = select(func.count()).select_from(_KINDS[limit.kind].table).where(_matching(limit))
    return int(connection.scalar(found) or 0)


def _by_kind(found: Sequence[_Found]) -> dict[str, list[_Found]]:
    return {kind: [each for each in found if each[2] == kind] for kind in sorted({each[2] for each in found})}


def _let_go(connection: Connection, kind: _Kind, ids: Sequence[str]) -> None:
    connection.execute(kind.table.update().where(kind.table.c.id.in_(ids)).values({kind.kept: False}))


def _named(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Which of some digests a record still keeps."""
    pairs = ((inspections.c.image, inspections.c.image_kept), (signals.c.waveform, signals.c.waveform_kept))
    return {
        digest
        for column, kept in pairs
        for digest in connection.scalars(select(column).where(column.in_(digests), kept))
    }


def _end_rows(database: Database, rules: KeepingRules, now: datetime) -> dict[str, int]:
    accounts = Accounts(database)
    return {
        "health": _forget_health(database, _days_before(now, rules.health_days)),
        "sessions": accounts.prune_sessions(now),
        "audit": accounts.prune_audit(_days_before(now, rules.audit_days), now),
        "outbox": forget_settled(database, _days_before(now, rules.told_days)),
    }


def _forget_health(database: Database, before: datetime) -> int:
    unused = select(health.c.bundle_digest).group_by(health.c.bundle_digest).having(func.max(health.c.changed) < before)
    with database.writing() as connection:
        return connection.execute(health.delete().where(health.c.bundle_digest.in_(unused))).rowcount


def _sum(one: Pruned, other: Pruned) -> Pruned:
    return Pruned(
        one.images + other.images,
        one.waveforms + other.waveforms,
        one.files + other.files,
        one.freed_bytes + other.freed_bytes,
    )


def _days_before(now: datetime, days: float) -> datetime:
    return now - timedelta(days=days)


def _parts(paths: Iterator[str], most: int) -> Iterator[list[str]]:
    while part := list(islice(paths, most)):
        yield part
