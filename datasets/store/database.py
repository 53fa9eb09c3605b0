"""A database: SQLite by default, PostgreSQL by its address."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from andon.models.types.errors import ConflictError, OptionError, ResourceError, StorageFullError

BUSY_S = 10.0
"""How long a writer waits for another on SQLite before it gives up."""
CONNECT_S = 3
_FULL = ("database or disk is full", "No space left on device")
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class Database:
    """Connections to one database. Safe to use from several threads at once."""

    engine: Engine

    @property
    def name(self) -> str:
        """Its address without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction.

        Raises
        ------
        ResourceError
            The database cannot be reached or is damaged.
        """
        with self._telling(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it is kept, or nothing.

        Raises
        ------
        ConflictError
            A row is there already, or one that it belongs to is not.
        StorageFullError
            The disk is full.
        ResourceError
            The database cannot be reached or is damaged.
        """
        with self._telling(), self.engine.execution_options(writes=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        self.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise ConflictError("store.conflict", self.name, reason=_said(error)) from error
        except PoolTimeoutError as error:  # no connection of the pool came free
            raise ResourceError("store.unreachable", self.name, reason=str(error).partition("\n")[0]) from error
        except DBAPIError as error:
            # SQLite's own class says that the file is damaged; its subclasses speak of the statement.
            is_damaged = type(error) is DatabaseError
            if not (isinstance(error, OperationalError) or is_damaged or error.connection_invalidated):
                raise
            reason = _said(error)
            if any(text in reason for text in _FULL):
                raise StorageFullError("store.full", self.name, reason=reason) from error
            raise ResourceError("store.unreachable", self.name, reason=reason) from error


def _said(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]


def open_database(address: str) -> Database:
    """Open a database; nothing is read yet.

    Parameters
    ----------
    address
        ``sqlite:////folder/andon.db`` or ``postgresql://user@host/name``.

    Raises
    ------
    OptionError
        The address is none, or names another kind of database.
    """
    try:
        url = make_url(address)
        driver = _DRIVERS[url.drivername.partition("+")[0]]
        return Database(_engine(url.set(drivername=driver)))
    except (ArgumentError, KeyError, NoSuchModuleError) as error:
        raise OptionError("store.address", "--db", found=address.partition("://")[0]) from error


def sqlite_address(path: Path) -> str:
    """Return the address of a database in a file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def _engine(url: URL) -> Engine:
    if url.drivername != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_S})
    engine = create_engine(url, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions begin where `_begin_sqlite` says: the driver's own begin too late for a read that is followed by a write.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then has to wait for its turn to write would fail; one that will write waits at its start.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
