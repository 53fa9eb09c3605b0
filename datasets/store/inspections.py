"""Find what was inspected: a page, one of them, a part's whole life, a day's yield."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_

from andon.datasets.store.database import Database
from andon.datasets.store.ledger import with_hash
from andon.datasets.store.paging import Page, paged
from andon.datasets.store.schema import inspections, tallies
from andon.models.types.errors import ConflictError, NotFoundError
from andon.models.types.identifiers import first_id

_FIRST_ID, _LAST_ID = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was kept.

    Parameters
    ----------
    document
        JSON without ``ledger_hash``.
    """

    document: bytes
    ledger_hash: str
    request_digest: bytes | None = None

    @property
    def answer(self) -> bytes:
        """The document with ``ledger_hash`` as its last member."""
        return with_hash(self.document, self.ledger_hash)

    def answering(self, request_key: str, request_digest: bytes | None) -> "Kept":
        """The same, for a request that was sent again.

        Raises
        ------
        ConflictError
            The key stands for another request.
        """
        if self.request_digest != request_digest:
            raise ConflictError("serving.key_reused", "Idempotency-Key", found=request_key)
        return self


@dataclass(frozen=True, slots=True)
class InspectionFilter:
    """Which inspections are asked for; None leaves a choice open. ``since`` is inclusive, ``until`` exclusive."""

    part: str | None = None
    station: str | None = None
    model: str | None = None
    verdict: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def select(self, before: str | None) -> Select[Any]:
        """Select what is asked for. Identifiers lead with the time, so that a time is a place in their order.

        Parameters
        ----------
        before
            What is selected has lower identifiers than this; None for all.
        """
        columns = inspections.c
        named = {columns.part: self.part, columns.station: self.station, columns.verdict: self.verdict}
        equal = [column == value for column, value in named.items() if value is not None]
        since = first_id(self.since) if self.since else _FIRST_ID
        until = min(before or _LAST_ID, first_id(self.until) if self.until else _LAST_ID)
        found = select(inspections).where(*equal, columns.id >= since, columns.id < until)
        if self.model is None:
            return found
        if self.part or self.station:
            return found.where(columns.model == self.model)
        # In the order of the model's own index: PostgreSQL would rather walk all inspections, however long ago it served.
        place = tuple_(columns.model, columns.id)
        return found.where(place.between((self.model, since), (self.model, until))).order_by(columns.model.desc())


class KeptInspections:
    """Reads inspections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: InspectionFilter, before: str | None, limit: int) -> Page[Kept]:
        """List inspections, the latest first.

        Parameters
        ----------
        before
            Where the page before ended; None for the first.
        """
        with self._database.reading() as connection:
            return paged(connection, wanted.select(before), inspections.c.id, before, limit, kept_of)

    def get(self, inspection: str) -> Kept:
        """Find one by its identifier.

        Raises
        ------
        NotFoundError
            There is none.
        """
        return kept_of(self._row(inspection))

    def sent_under(self, request_key: str, request_digest: bytes) -> Kept | None:
        """Find what was answered to a request that may be sent again.

        Raises
        ------
        ConflictError
            The key stands for another request.
        """
        found = self._first(select(inspections).where(inspections.c.request_key == request_key))
        return None if found is None else kept_of(found).answering(request_key, request_digest)

    def image_of(self, inspection: str) -> str:
        """Say under which digest the image of an inspection is kept.

        Raises
        ------
        NotFoundError
            There is no such inspection, or its image was removed as the rules for keeping say.
        """
        found = self._row(inspection)
        if not found.image_kept:
            raise NotFoundError("store.image_removed", inspection, digest=found.image)
        return str(found.image)

    def tallied(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Count verdicts by station, model and verdict over whole hours."""
        columns = tallies.c
        count = func.sum(columns.count).label("count")
        groups = (columns.station, columns.model, columns.verdict)
        found = (
            select(*groups, count)
            .where(columns.hour >= since, columns.hour < until)
            .group_by(*groups)
            .order_by(*groups)
        )
        with self._database.reading() as connection:
            return [{**each._mapping, "count": int(each._mapping["count"])} for each in connection.execute(found)]

    def _row(self, inspection: str) -> Row[Any]:
        found = self._first(select(inspections).where(inspections.c.id == inspection))
        if found is None:
            raise NotFoundError("store.no_inspection", inspection)
        return found

    def _first(self, statement: Select[Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(statement).first()


def kept_of(row: Row[Any]) -> Kept:
    """Read a row of the table."""
    return Kept(row.document, row.ledger_hash, row.request_digest)
