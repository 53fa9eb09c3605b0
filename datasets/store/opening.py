"""The store: a database, images and waveforms beside it, and whether there is room for more."""

from dataclasses import dataclass
from pathlib import Path

from andon.datasets.store.blobs import BlobStore, open_blobs
from andon.datasets.store.database import Database, open_database, sqlite_address
from andon.datasets.store.room import Room
from andon.datasets.store.upgrade import ensure_current
from andon.models.types.errors import ResourceError

DATABASE, BLOBS = "andon.db", "blobs"
"""Under ``andon_home``, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where to keep what is kept.

    Parameters
    ----------
    origin
        Names this box in the ledger: each has a chain of its own.
    database
        Address of the database; None for SQLite under ``andon_home``.
    blobs
        Where images and waveforms lie; None for a folder under ``andon_home``.
    reserve_bytes
        What stays free on the disk.
    """

    origin: str
    database: str | None = None
    blobs: str | None = None
    reserve_bytes: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Store:
    """Where everything is kept.

    Parameters
    ----------
    origin
        Whose ledger this service writes.
    room
        Says whether there is room for more.
    """

    database: Database
    blobs: BlobStore
    origin: str
    room: Room


def open_store(home: Path, options: StoreOptions) -> Store:
    """Open the store, and make its tables where it is empty.

    Raises
    ------
    OptionError
        An address is none.
    DataError
        The tables are those of another version.
    ResourceError
        The disk or the database cannot be used.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError("serving.folder_unreadable", str(home), reason=error.strerror or str(error)) from error
    database = open_database(options.database or sqlite_address(home / DATABASE))
    ensure_current(database)
    return Store(
        database, open_blobs(options.blobs or str(home / BLOBS)), options.origin, Room(home, options.reserve_bytes)
    )
