"""What happens between a station and its PLC, as entries of the ledger: a verdict's own entry is written before the PLC is told of it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import Kept, kept_of
from andon.datasets.store.ledger import lock_head, row
from andon.datasets.store.schema import inspections, ledger
from andon.models.ledger.chain import Entry, append

ANSWER, UNJUDGED = "plc_answer", "unjudged"


def keep_answer(database: Database, origin: str, inspection: str, told: str, trigger_count: int, time: datetime) -> str:
    """Keep that a PLC took what it was told of an inspection, and return the hash of the entry.

    Parameters
    ----------
    told
        Differs from the verdict where that came too late.
    """
    return _keep(
        database, origin, ANSWER, {"inspection": inspection, "told": told, "trigger_count": trigger_count}, time
    )


def keep_unjudged(
    database: Database, origin: str, station: str, serial: str, trigger_count: int, fault: str, time: datetime
) -> str:
    """Keep that a part passed a station that could not judge it, and return the hash of the entry."""
    record: dict[str, str | int] = {
        "station": station,
        "serial": serial,
        "trigger_count": trigger_count,
        "fault": fault,
    }
    return _keep(database, origin, UNJUDGED, record, time)


def last_unanswered(database: Database, origin: str, station: str) -> Kept | None:
    """Find the last inspection of a station, if its PLC has not taken the answer."""
    columns = inspections.c
    mine = (columns.station == station) & (columns.origin == origin)
    with database.reading() as connection:
        last = connection.execute(select(inspections).where(mine).order_by(columns.id.desc()).limit(1)).first()
        if last is None:
            return None
        after = (ledger.c.origin == origin) & (ledger.c.seq > last.ledger_seq)
        bodies = connection.scalars(select(ledger.c.body).where(after)).all()
    is_taken = any(ANSWER.encode() in body and last.id.encode() in body for body in bodies)
    return None if is_taken else kept_of(last)


def _keep(database: Database, origin: str, kind: str, record: Mapping[str, str | int], time: datetime) -> str:
    with database.writing() as connection:
        entry: Entry = append(lock_head(connection, origin), kind, dict(record), time)
        connection.execute(ledger.insert(), row(entry))
    return entry.hash
