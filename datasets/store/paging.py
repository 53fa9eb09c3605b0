"""Pages of a list, by where the last one ended: a page costs the same wherever it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Select
from sqlalchemy.sql.schema import Column

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page, and where the next one begins; None where this is the last."""

    items: Sequence[Item]
    next: str | None


def paged(
    connection: Connection,
    found: Select[Any],
    key: Column[str],
    before: str | None,
    limit: int,
    read: Callable[[Row[Any]], Item],
) -> Page[Item]:
    """Read a page of ``found``, the latest ``key`` first.

    Parameters
    ----------
    before
        Where the page before ended.
    """
    if before is not None:
        found = found.where(key < before)
    rows = connection.execute(found.order_by(key.desc()).limit(limit + 1)).all()
    more = rows[limit - 1]._mapping[key.name] if len(rows) > limit else None
    return Page([read(row) for row in rows[:limit]], more)
