"""Images and waveforms by the hash of their bytes, on a disk or on whatever else fsspec reaches."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from andon.models.files.durable import flush_folder
from andon.models.types.errors import DataError, OptionError, ResourceError, StorageFullError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_OWN = re.compile(r".*/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60}|\.[0-9a-f]{32})")
"""Paths as the store makes them, of what is whole and of what is half written."""


@dataclass(frozen=True, slots=True)
class BlobStore:
    """Files named by the SHA-256 of what they hold: equal bytes are kept once. Safe to use from several threads at once.

    Parameters
    ----------
    files, root
        Where they lie.
    """

    files: AbstractFileSystem
    root: str

    def put(self, contents: bytes) -> str:
        """Keep ``contents`` and return their digest. When it returns, a power cut no longer loses them, on a disk.

        Raises
        ------
        StorageFullError
            The disk is full.
        ResourceError
            The store cannot be written.
        """
        digest = sha256(contents).hexdigest()
        path = self._path(digest)
        with self._telling():
            if not self.files.exists(path):
                self._write(path, contents)
        return digest

    def get(self, digest: str) -> bytes:
        """Return what is kept under a digest.

        Raises
        ------
        DataError
            Nothing is, or what is there is damaged.
        ResourceError
            The store cannot be read.
        """
        with self._telling():
            try:
                contents = bytes(self.files.cat_file(self._path(digest)))
            except FileNotFoundError as error:
                raise DataError("store.blob_missing", digest, store=self.root) from error
        if (found := sha256(contents).hexdigest()) != digest:
            raise DataError("store.blob_damaged", digest, found=found)
        return contents

    def has(self, digest: str) -> bool:
        """Say whether something is kept under a digest. Raises ``ResourceError`` where the store cannot be read."""
        with self._telling():
            return bool(self.files.exists(self._path(digest)))

    def remove(self, digest: str) -> int:
        """Remove what is kept under a digest, and return how many bytes that frees; 0 where nothing is."""
        return self.remove_file(self._path(digest))

    def remove_file(self, path: str) -> int:
        """Remove a file that ``files_before`` found, and return how many bytes that frees; 0 where it is gone."""
        with self._telling():
            try:
                size = int(self.files.size(path) or 0)
                self.files.rm_file(path)
            except FileNotFoundError:
                return 0
        return size

    def files_before(self, moment: datetime) -> Iterator[str]:
        """Find files that were written before a moment, a folder at a time: there may be millions.

        Those that were left half written are among them; those that the store did not make are not.

        Raises
        ------
        ResourceError
            The store cannot be read.
        """
        for first in self._listed(self.root):
            for second in self._listed(first):
                yield from (path for path in self._listed(second) if self._is_older(path, moment))

    def _listed(self, folder: str) -> list[str]:
        """List a folder; nothing where it is not there."""
        with self._telling(), suppress(FileNotFoundError):
            return list(self.files.ls(folder, detail=False))
        return []

    def _is_older(self, path: str, moment: datetime) -> bool:
        """Say whether a file is the store's and older; one that was moved or removed meanwhile is not."""
        with self._telling(), suppress(FileNotFoundError):
            return bool(_OWN.fullmatch(path) and self.files.modified(path) < moment)
        return False

    def _path(self, digest: str) -> str:
        return f"{self.root}/{digest[:2]}/{digest[2:4]}/{digest}"

    def _write(self, path: str, contents: bytes) -> None:
        """Write beside it and move, so that a name never stands for half of its contents."""
        folder = path.rpartition("/")[0]
        self.files.makedirs(folder, exist_ok=True)
        staged = f"{folder}/.{uuid4().hex}"
        is_on_disk = isinstance(self.files, LocalFileSystem)
        with self.files.open(staged, "wb") as file:
            file.write(contents)
            if is_on_disk:
                file.flush()
                os.fsync(file.fileno())
        self.files.mv(staged, path)
        if is_on_disk:
            flush_folder(Path(folder))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _FULL:
                raise StorageFullError("store.full", self.root, reason=reason) from error
            raise ResourceError("store.blobs", self.root, reason=reason) from error


def open_blobs(url: str) -> BlobStore:
    """Open a store: a folder, or an address that fsspec knows, such as ``s3://bucket/andon``.

    Raises
    ------
    OptionError
        The address is of a kind that is not known or not installed.
    """
    try:
        files, root = url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise OptionError("store.blob_address", "--blobs", found=url, reason=str(error)) from error
    return BlobStore(files, root.rstrip("/"))
