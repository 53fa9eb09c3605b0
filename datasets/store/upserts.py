"""Rows that may be there already."""

from collections.abc import Hashable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, case
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.schema import Column

Row = Mapping[str, Any]


def insert_missing(connection: Connection, table: Table, rows: Mapping[Hashable, Row]) -> None:
    """Insert rows, by their key, unless they are there."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), _in_order(rows))


def insert_latest(connection: Connection, table: Table, rows: Mapping[Hashable, Row], *columns: str) -> None:
    """Insert rows, by their key; of those that are there, bring ``columns`` up to date."""
    if rows:
        statement = _insert(connection, table)
        changed = {name: statement.excluded[name] for name in columns}
        connection.execute(statement.on_conflict_do_update(index_elements=_key(table), set_=changed), _in_order(rows))


def insert_spans(connection: Connection, table: Table, rows: Mapping[Hashable, Row]) -> None:
    """Insert rows, by their key; of those that are there, widen the time from ``first_seen`` to ``last_seen``.

    What comes late may be earlier than what is there.
    """
    if rows:
        statement = _insert(connection, table)
        first, last, given = table.c.first_seen, table.c.last_seen, statement.excluded
        widened = {
            "first_seen": case((first < given.first_seen, first), else_=given.first_seen),
            "last_seen": case((last > given.last_seen, last), else_=given.last_seen),
        }
        connection.execute(statement.on_conflict_do_update(index_elements=_key(table), set_=widened), _in_order(rows))


def add_up(connection: Connection, table: Table, counts: Mapping[tuple[Any, ...], int]) -> None:
    """Add to the column ``count`` of rows by the values of their key, and insert those that are missing."""
    if not counts:
        return
    names = [column.name for column in _key(table)]
    rows = {key: {**dict(zip(names, key, strict=True)), "count": count} for key, count in counts.items()}
    statement = _insert(connection, table)
    changed = {"count": table.c.count + statement.excluded.count}
    connection.execute(statement.on_conflict_do_update(index_elements=_key(table), set_=changed), _in_order(rows))


def _insert(connection: Connection, table: Table) -> Any:
    """PostgreSQL and SQLite have the same statement under two names."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _key(table: Table) -> list[Column[Any]]:
    return list(table.primary_key.columns)


def _in_order(rows: Mapping[Any, Row]) -> list[Row]:
    """Always in the same order, so that two transactions never wait for each other."""
    return [rows[key] for key in sorted(rows)]
