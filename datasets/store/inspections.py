"""Find what was inspected: a page, one of them, a part's whole life, a day's yield."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from andon.datasets.store.database import Database
from andon.datasets.store.paging import Page, paged
from andon.datasets.store.schema import inspections, tallies
from andon.models.types.errors import NotFoundError
from andon.models.types.identifiers import first_id


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
        return b'%b,"ledger_hash":"%b"}' % (self.document[:-1], self.ledger_hash.encode())


@dataclass(frozen=True, slots=True)
class InspectionFilter:
    """Which inspections are asked for; None leaves a choice open. ``since`` is inclusive, ``until`` exclusive."""

    part: str | None = None
    station: str | None = None
    model: str | None = None
    verdict: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What rows must meet. Identifiers lead with the time, so that a time is a place in their order."""
        columns = inspections.c
        named = {
            columns.part: self.part,
            columns.station: self.station,
            columns.model: self.model,
            columns.verdict: self.verdict,
        }
        equal = [column == value for column, value in named.items() if value is not None]
        since = [columns.id >= first_id(self.since)] if self.since else []
        until = [columns.id < first_id(self.until)] if self.until else []
        return [*equal, *since, *until]


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
        found = select(inspections).where(*wanted.conditions())
        with self._database.reading() as connection:
            return paged(connection, found, inspections.c.id, before, limit, kept_of)

    def get(self, inspection: str) -> Kept:
        """Find one by its identifier.

        Raises
        ------
        NotFoundError
            There is none.
        """
        found = self._first(select(inspections).where(inspections.c.id == inspection))
        if found is None:
            raise NotFoundError("store.no_inspection", inspection)
        return kept_of(found)

    def sent_under(self, request_key: str) -> Kept | None:
        """Find what was answered to a request that may be sent again."""
        found = self._first(select(inspections).where(inspections.c.request_key == request_key))
        return None if found is None else kept_of(found)

    def image_of(self, inspection: str) -> str:
        """Say under which digest the image of an inspection is kept.

        Raises
        ------
        NotFoundError
            There is no such inspection, or its image was removed as the rules for keeping say.
        """
        found = self._first(select(inspections).where(inspections.c.id == inspection))
        if found is None:
            raise NotFoundError("store.no_inspection", inspection)
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

    def _first(self, statement: Select[Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(statement).first()


def kept_of(row: Row[Any]) -> Kept:
    """Read a row of the table."""
    return Kept(row.document, row.ledger_hash, row.request_digest)
