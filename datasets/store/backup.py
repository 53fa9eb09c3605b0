"""A backup that any database takes back: every table as JSON lines and every blob, in one zip file.

It is read in one transaction, so that it shows one moment while work goes on; and because it does not depend on the kind of database, a
backup from SQLite restored into PostgreSQL is how a box grows.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, select, text

from andon.datasets.store.blobs import BlobStore
from andon.datasets.store.columns import Moment
from andon.datasets.store.database import Database
from andon.datasets.store.schema import METADATA, inspections, signals
from andon.datasets.store.upgrade import is_empty, newest, revision, upgrade
from andon.models.types.errors import DataError, ResourceError
from andon.models.types.progress import Progress, silent

SCHEMA_VERSION = 1
MANIFEST = "backup.json"
_ROWS = 1000
_OWNER_ALONE = 0o600


@dataclass(frozen=True, slots=True)
class TableSummary:
    """How many rows of a table a backup holds, and the SHA-256 of their lines."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup holds."""

    schema_version: int
    revision: str
    tables: dict[str, TableSummary]
    blobs: int


def back_up(
    database: Database, blobs: BlobStore, path: Path, with_blobs: bool = True, progress: Progress = silent
) -> BackupManifest:
    """Write a backup; ``path`` is replaced as a whole or not at all, and nobody else may read it.

    Raises
    ------
    DataError
        The tables are of another version.
    ResourceError
        The disk is full, or the database cannot be reached.
    """
    found = revision(database)
    if found != newest():
        raise DataError("store.behind", database.name, found=found or "-", expected=newest())
    with _staged(path) as archive, _snapshot(database) as connection:
        tables = {}
        for done, table in enumerate(METADATA.sorted_tables):
            progress("store.stage_tables", done, len(METADATA.sorted_tables))
            tables[table.name] = _dump(connection, table, archive)
        digests = _kept_blobs(connection) if with_blobs else []
        for done, digest in enumerate(digests):
            progress("store.stage_blobs", done, len(digests))
            archive.writestr(ZipInfo(f"blobs/{digest}"), blobs.get(digest), ZIP_STORED)
        manifest = BackupManifest(SCHEMA_VERSION, newest(), tables, len(digests))
        archive.writestr(MANIFEST, msgspec.json.encode(manifest), ZIP_DEFLATED)
    return manifest


def restore(path: Path, database: Database, blobs: BlobStore, progress: Progress = silent) -> BackupManifest:
    """Bring a backup into an empty database: all of it, or nothing.

    Raises
    ------
    DataError
        The database is not empty; or the file is damaged, no backup, or of another version.
    ResourceError
        The disk is full, or the database cannot be reached.
    """
    if not is_empty(database):
        raise DataError("store.not_empty", database.name)
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        for done, digest in enumerate(names := _blob_names(archive)):
            progress("store.stage_blobs", done, len(names))
            blobs.put(archive.read(f"blobs/{digest}"))
        upgrade(database)
        with database.writing() as connection:
            for done, table in enumerate(METADATA.sorted_tables):
                progress("store.stage_tables", done, len(METADATA.sorted_tables))
                _load(connection, table, archive, manifest.tables[table.name], path)
    return manifest


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """One moment of the whole database; SQLite's readers see one anyway."""
    with database.reading() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield connection


@contextmanager
def _staged(path: Path) -> Iterator[ZipFile]:
    staged = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ALONE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with ZipFile(file, "w") as archive:
                    yield archive
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise ResourceError("inspect.not_written", str(path), reason=error.strerror or str(error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(path) as archive:
            yield archive
    except (BadZipFile, FileNotFoundError, IsADirectoryError, EOFError) as error:
        raise DataError("store.no_backup", str(path), reason=str(error)) from error


def _manifest(archive: ZipFile, path: Path) -> BackupManifest:
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=BackupManifest)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError("store.no_backup", str(path), reason=str(error)) from error
    if (manifest.schema_version, manifest.revision) != (SCHEMA_VERSION, newest()):
        raise DataError("store.backup_version", str(path), found=manifest.revision, expected=newest())
    if missing := METADATA.tables.keys() - manifest.tables.keys():
        raise DataError("store.no_backup", str(path), reason=f"without {', '.join(sorted(missing))}")
    return manifest


def _kept_blobs(connection: Connection) -> list[str]:
    images = select(inspections.c.image).where(inspections.c.image_kept)
    waveforms = select(signals.c.waveform).where(signals.c.waveform_kept)
    return sorted(connection.scalars(images.union(waveforms)))


def _blob_names(archive: ZipFile) -> list[str]:
    return [name.removeprefix("blobs/") for name in archive.namelist() if name.startswith("blobs/")]


def _dump(connection: Connection, table: Table, archive: ZipFile) -> TableSummary:
    digest, rows = sha256(), 0
    keys = table.primary_key.columns
    with archive.open(ZipInfo(f"tables/{table.name}.jsonl"), "w", force_zip64=True) as file:
        found = connection.execution_options(yield_per=_ROWS).execute(select(table).order_by(*keys))
        for row in found:
            line = msgspec.json.encode(dict(row._mapping)) + b"\n"
            file.write(line)
            digest.update(line)
            rows += 1
    return TableSummary(rows, digest.hexdigest())


def _load(connection: Connection, table: Table, archive: ZipFile, summary: TableSummary, path: Path) -> None:
    digest, rows, waiting = sha256(), 0, list[dict[str, Any]]()
    with archive.open(f"tables/{table.name}.jsonl") as file:
        for line in file:
            digest.update(line)
            rows += 1
            waiting.append(_row(table, line))
            if len(waiting) == _ROWS:
                connection.execute(table.insert(), waiting)
                waiting.clear()
    if waiting:
        connection.execute(table.insert(), waiting)
    if (rows, digest.hexdigest()) != (summary.rows, summary.sha256):
        raise DataError("store.no_backup", str(path), reason=f"{table.name}: {rows}/{summary.rows}")


def _row(table: Table, line: bytes) -> dict[str, Any]:
    readers = _readers(table)
    said: Mapping[str, Any] = msgspec.json.decode(line)
    return {name: value if value is None else readers[name](value) for name, value in said.items()}


def _readers(table: Table) -> dict[str, Callable[[Any], Any]]:
    return {column.name: _reader(column.type) for column in table.columns}


def _reader(kind: object) -> Callable[[Any], Any]:
    match kind:
        case LargeBinary():
            return lambda value: msgspec.convert(value, bytes)
        case Moment():
            return datetime.fromisoformat
        case _:
            return lambda value: value
