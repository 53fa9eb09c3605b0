"""Find signals, and how what was measured in them went on over time."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from andon.datasets.store.database import Database
from andon.datasets.store.ledger import with_hash
from andon.datasets.store.paging import Page, paged
from andon.datasets.store.schema import assets, sensors, signals
from andon.models.types.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals are asked for; None leaves a choice open."""

    asset: str | None = None
    sensor: str | None = None
    severity: str | None = None
    customer: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What rows must meet."""
        columns = signals.c
        named = {columns.asset: self.asset, columns.sensor: self.sensor, columns.severity: self.severity}
        equal = [column == value for column, value in named.items() if value is not None]
        if self.customer is None:
            return equal
        return [*equal, columns.asset.in_(select(assets.c.name).where(assets.c.customer == self.customer))]


class KeptSignals:
    """Reads signals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: SignalFilter, before: str | None, limit: int) -> Page[bytes]:
        """List the answers to signals, the latest received first; ``before`` is where the page before ended."""
        found = select(signals).where(*wanted.conditions())
        with self._database.reading() as connection:
            return paged(connection, found, signals.c.id, before, limit, answer_of)

    def get(self, signal: str, customer: str | None = None) -> Row[Any]:
        """Find one by its identifier.

        Raises
        ------
        NotFoundError
            There is none, or none of that customer's.
        """
        found = select(signals).where(signals.c.id == signal, *SignalFilter(customer=customer).conditions())
        with self._database.reading() as connection:
            row = connection.execute(found).first()
        if row is None:
            raise NotFoundError("store.no_signal", signal)
        return row

    def newest(self, asset: str, sensor: str) -> Row[Any] | None:
        """Find the signal that came last from a sensor; None where none did."""
        columns = signals.c
        mine = (columns.asset.is_(None) if not asset else columns.asset == asset) & (columns.sensor == sensor)
        found = select(signals).where(mine).order_by(columns.id.desc()).limit(1)
        with self._database.reading() as connection:
            return connection.execute(found).first()

    def newest_of_each(self) -> list[Row[Any]]:
        """Find the signal that came last from each sensor of each machine."""
        with self._database.reading() as connection:
            known = connection.execute(select(sensors.c.asset, sensors.c.name)).all()
        found = (self.newest(asset, sensor) for asset, sensor in known)
        return [row for row in found if row is not None]

    def sent_under(self, request_key: str, request_digest: bytes) -> bytes | None:
        """Find what was answered to a request that may be sent again.

        Raises
        ------
        ConflictError
            The key stands for another request.
        """
        found = select(signals).where(signals.c.request_key == request_key)
        with self._database.reading() as connection:
            kept = connection.execute(found).first()
        if kept is None:
            return None
        if kept.request_digest != request_digest:
            raise ConflictError("serving.key_reused", "Idempotency-Key", found=request_key)
        return answer_of(kept)


def answer_of(row: Row[Any]) -> bytes:
    """What was answered to a signal; it was kept without the hash of its entry."""
    return with_hash(bytes(row.document), row.ledger_hash)
