"""What happens between a station and its PLC, as entries of the ledger: a verdict's own entry is written before the PLC is told of it."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import Kept, kept_of
from andon.datasets.store.ledger import add
from andon.datasets.store.schema import inspections, ledger

ANSWER, UNJUDGED = "plc_answer", "unjudged"
_AT_ONCE = 500
"""Entries that are read together: a station that stood still has many of its neighbours after its last part."""


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
    record = {"station": station, "serial": serial, "trigger_count": trigger_count, "fault": fault}
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
        bodies = select(ledger.c.body).where(after).order_by(ledger.c.seq).execution_options(yield_per=_AT_ONCE)
        with connection.execute(bodies) as found:
            is_taken = any(_is_answer(body, last.id) for (body,) in found)
    return None if is_taken else kept_of(last)


class _About(msgspec.Struct):
    inspection: str


class _Answer(msgspec.Struct, tag_field="kind", tag=ANSWER):
    record: _About


def _is_answer(body: bytes, inspection: str) -> bool:
    """Say whether an entry is the answer to an inspection; one that is damaged is none: the PLC is told again."""
    try:
        return msgspec.json.decode(body, type=_Answer).record.inspection == inspection
    except ValueError:  # msgspec's errors are: the entry is of another kind, or damaged
        return False


def _keep(database: Database, origin: str, kind: str, record: dict[str, Any], time: datetime) -> str:
    with database.writing() as connection:
        return add(connection, origin, kind, record, time).hash
