"""Bring a database's tables to what this program knows."""

from pathlib import Path

from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from andon.datasets.store.database import Database
from andon.models.types.errors import DataError

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x616E646F6E
"""PostgreSQL's advisory lock: two services that start at once upgrade one after the other."""


def ensure_current(database: Database) -> None:
    """Make the tables of an empty database, and check those of any other.

    Raises
    ------
    DataError
        They are older than this program, and ``andon db upgrade`` is to be run; or newer; or another program's.
    ResourceError
        The database cannot be reached.
    """
    if is_empty(database):
        upgrade(database)
    found = revision(database)
    if found != newest():
        code = "store.behind" if found in _known() else "store.foreign"
        raise DataError(code, database.name, found=found or "-", expected=newest())


def upgrade(database: Database) -> None:
    """Bring the tables to the newest form, in one transaction.

    Raises
    ------
    DataError
        They are of a newer or another program.
    """
    found = revision(database)
    if found not in _known() and not is_empty(database):
        raise DataError("store.foreign", database.name, found=found or "-", expected=newest())
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        alembic_upgrade(_config(connection), "head")


def revision(database: Database) -> str | None:
    """Say which form the tables have; None where there are none of this program."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """Say which form this program knows."""
    return str(_script().get_current_head())


def is_empty(database: Database) -> bool:
    """Whether there is no table at all."""
    with database.reading() as connection:
        return not inspect(connection).get_table_names()


def _known() -> set[str | None]:
    return {each.revision for each in _script().walk_revisions()}


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config
