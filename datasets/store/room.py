"""Whether there is room for more."""

import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from andon.models.types.errors import ResourceError, StorageFullError

LOOK_S = 1.0
"""How long an answer holds: a busy line fills far less than the reserve in that time."""


class Room:
    """Refuses new work before the disk is full, so that what runs can still be kept.

    Parameters
    ----------
    folder
        On the disk that is filled.
    reserve_bytes
        What must stay free.
    """

    def __init__(self, folder: Path, reserve_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._clock = clock
        self._looked_at = float("-inf")
        self._free_bytes = 0

    def check(self) -> None:
        """Return where there is room.

        Raises
        ------
        StorageFullError
            Less is free than the reserve.
        """
        free = self.free_bytes()
        if free < self._reserve_bytes:
            raise StorageFullError(
                "store.no_room", str(self._folder), free=free >> 20, expected=self._reserve_bytes >> 20
            )

    def free_bytes(self) -> int:
        """How much is free, as it was a moment ago."""
        now = self._clock()
        if now - self._looked_at > LOOK_S:
            try:
                self._free_bytes = shutil.disk_usage(self._folder).free
            except OSError as error:
                raise ResourceError("store.blobs", str(self._folder), reason=error.strerror or str(error)) from error
            self._looked_at = now
        return self._free_bytes
