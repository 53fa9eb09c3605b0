"""A part's whole life: every inspection of it, what people decided, and where that stands in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import Kept, kept_of
from andon.datasets.store.ledger import lock_head, row
from andon.datasets.store.schema import dispositions, inspections, ledger, parts
from andon.models.codes.parsing import PartCode
from andon.models.ledger.chain import append
from andon.models.types.errors import DataError, NotFoundError
from andon.models.types.identifiers import new_id

DISPOSITION = "disposition"


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a person decided on an inspection: the verdict that holds, and which defect it is."""

    id: str
    inspection: str
    time: datetime
    verdict: str
    label: str
    comment: str
    operator: str


@dataclass(frozen=True, slots=True)
class PartLife:
    """Everything that is kept of one part, the earliest first."""

    code: str
    scheme: str
    first_seen: datetime
    last_seen: datetime
    inspections: Sequence[Kept]
    dispositions: Sequence[Disposition]


class Parts:
    """Reads parts and takes decisions on them.

    Parameters
    ----------
    origin
        Whose ledger decisions go into.
    """

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin

    def life(self, code: PartCode) -> PartLife:
        """Find a part by its serial or identifier code, or by the serial number within its identifier code.

        Raises
        ------
        NotFoundError
            There is none, or several identifier codes hold that serial number.
        """
        with self._database.reading() as connection:
            part = _part(connection, code)
            mine = inspections.c.part == part.code
            found = connection.execute(select(inspections).where(mine).order_by(inspections.c.id)).all()
            decided = select(dispositions).join(inspections).where(mine).order_by(dispositions.c.id)
            decisions = [_disposition(each) for each in connection.execute(decided)]
        return PartLife(
            part.code, part.scheme, part.first_seen, part.last_seen, [kept_of(each) for each in found], decisions
        )

    def dispose(
        self, inspection: str, verdict: str, label: str, comment: str, operator: str, time: datetime
    ) -> tuple[Disposition, str]:
        """Keep a decision, and return it with the hash of its entry in the ledger.

        Raises
        ------
        NotFoundError
            There is no such inspection.
        """
        decision = Disposition(new_id(), inspection, time, verdict, label, comment, operator)
        with self._database.writing() as connection:
            head = lock_head(connection, self._origin)
            if connection.execute(select(inspections.c.id).where(inspections.c.id == inspection)).first() is None:
                raise NotFoundError("store.no_inspection", inspection)
            values = {name: getattr(decision, name) for name in Disposition.__slots__}
            entry = append(head, DISPOSITION, {**values, "time": time.isoformat()}, time)
            connection.execute(dispositions.insert(), values)
            connection.execute(ledger.insert(), row(entry))
        return decision, entry.hash


def _part(connection: Connection, code: PartCode) -> Any:
    exact = connection.execute(select(parts).where(parts.c.code == code.canonical)).first()
    if exact is not None:
        return exact
    within = connection.execute(select(parts).where(parts.c.serial == code.canonical).limit(2)).all()
    if len(within) > 1:
        raise DataError("store.serial_ambiguous", code.canonical)
    if not within:
        raise NotFoundError("store.no_part", code.canonical)
    return within[0]


def _disposition(found: Any) -> Disposition:
    return Disposition(**{name: getattr(found, name) for name in Disposition.__slots__})
