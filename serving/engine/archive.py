"""What the service keeps: images first, then what was found in them, so that nothing kept ever points at what is not there."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from typing import TypeVar

from andon.datasets.store.inspections import Kept
from andon.datasets.store.opening import Store
from andon.datasets.store.recorder import InspectionRecord, Recorder

Result = TypeVar("Result")

WRITERS = 8
"""Threads that wait for disk and database; they use next to no processor time."""


class Archive:
    """Keeps what the service answers. Used from one event loop, between ``open`` and ``close``."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="archive")
        self._recorder = Recorder(store.database, store.origin)

    async def inspection(self, image: bytes, record: Callable[[str], InspectionRecord]) -> Kept:
        """Keep an inspection with its image; when this returns, both survive a power cut.

        Parameters
        ----------
        record
            Makes what is to be kept from the digest of the image.

        Raises
        ------
        StorageFullError
            There is no room left.
        ResourceError
            The database or the disk cannot be reached.
        ConflictError
            The request's key stands for another request.
        """
        digest = await self.call(partial(self.store.blobs.put, image))
        return await asyncio.wrap_future(self._recorder.record(record(digest)))

    async def call(self, work: Callable[[], Result]) -> Result:
        """Run what waits for disk or database on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Keep what waits, then let go."""
        self._recorder.close()
        self._threads.shutdown()


def request_digest(*parts: bytes) -> bytes:
    """SHA-256 over parts, each with its length before it."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
