"""A watched folder, into which another program puts images."""

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from andon.hardware.camera.features import features_of
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    NoFrameError,
    Shot,
    TriggerSource,
)
from andon.models.types.errors import ImageError
from andon.models.vision.decoding import SUFFIXES, read_image

logger = logging.getLogger(__name__)

POLL_S = 0.02
NOTHING = np.zeros((16, 16, 3), dtype=np.uint8)
"""Stands in for the frame of a file that cannot be decoded."""


class _Seen(NamedTuple):
    """A file as it was once; ordered by time, then name."""

    changed_ns: int
    name: str
    size: int
    inode: int

    @property
    def file(self) -> tuple[str, int]:
        return self.name, self.inode


class FolderCamera:
    """A ``Camera`` that returns the images that are put into a folder, oldest first, each once; it moves and deletes nothing.

    A file that stands still for ``settle_s`` is whole. Where one then cannot be decoded it is returned all the same, as a ``Shot`` that is not
    complete: something was photographed, and is to be judged NG rather than left out. Names that begin with a dot are passed over, so that
    a program may write under such a name and rename. What was there when it was opened or armed is never returned, not even where it was
    still being written.

    Parameters
    ----------
    folder
        Where images are put.
    settle_s
        How long a file must stand still; 0 where every file is put there whole, by renaming.
    """

    def __init__(self, *, folder: str, settle_s: float = 0.1) -> None:
        self._folder = Path(folder)
        self._settle_s = settle_s
        self._since_s: dict[_Seen, float] = {}
        self._taken: set[_Seen] = set()
        self._unfinished: set[tuple[str, int]] = set()
        self._number = 0

    def __enter__(self) -> Self:
        self.arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between two looks."""

    def apply(self, settings: CameraSettings) -> None:
        """Refuse all but a trigger by others: whoever writes the images exposes, and a folder has nothing to set."""
        for name in features_of(settings):
            raise CameraSettingError("camera.feature_unknown", str(self._folder), feature=name)
        if settings.trigger is TriggerSource.SOFTWARE:
            raise CameraSettingError("camera.others_trigger", str(self._folder))

    def arm(self) -> None:
        """Forget what is there."""
        settled = set(self._settled())
        self._unfinished = {seen.file for seen in self._since_s if seen not in settled}
        self._taken = set(self._since_s)

    def grab(self, timeout_s: float) -> Shot:
        """Wait for the next image."""
        deadline = monotonic() + timeout_s
        while (seen := min(self._settled(), default=None)) is None:
            if (left_s := deadline - monotonic()) <= 0:
                raise NoFrameError("camera.no_frame", str(self._folder), timeout=timeout_s)
            sleep(min(POLL_S, left_s))
        self._taken.add(seen)
        self._number += 1
        return self._shot(seen)

    def check(self) -> None:
        """Look whether the folder can be read."""
        self._look()

    def _shot(self, seen: _Seen) -> Shot:
        time = datetime.fromtimestamp(seen.changed_ns / 1e9, UTC)
        try:
            return Shot(read_image(self._folder / seen.name), self._number, time)
        except ImageError as error:
            logger.warning("image cannot be used", extra={"fields": {"file": seen.name, "reason": str(error)}})
            return Shot(NOTHING, self._number, time, is_complete=False)

    def _settled(self) -> Iterator[_Seen]:
        """List whole files that were not taken."""
        self._look()
        until_s = monotonic() - self._settle_s
        settled = [seen for seen, since_s in self._since_s.items() if since_s <= until_s]
        # A file that was being written when the camera was armed is of a part before, and so is what it has become.
        before = {seen for seen in settled if seen.file in self._unfinished}
        self._taken |= before
        self._unfinished -= {seen.file for seen in before}
        return (seen for seen in settled if seen not in self._taken)

    def _look(self) -> None:
        """Note what is there, and since when it has been so."""
        now_s = monotonic()
        try:
            with os.scandir(self._folder) as entries:
                there = [seen for entry in entries if (seen := _seen(entry))]
        except OSError as error:
            reason = error.strerror or str(error)
            raise CameraLostError("camera.no_folder", str(self._folder), reason=reason) from error
        self._since_s = {seen: self._since_s.get(seen, now_s) for seen in there}
        self._taken &= self._since_s.keys()
        self._unfinished &= {seen.file for seen in there}


def _seen(entry: os.DirEntry[str]) -> _Seen | None:
    if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in SUFFIXES:
        return None
    try:
        status = entry.stat()
    except FileNotFoundError:
        # It went away while the folder was read.
        return None
    return _Seen(status.st_mtime_ns, entry.name, status.st_size, status.st_ino)
