"""Swap the names of two folders in one step, where the system can."""

import ctypes
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(first: Path, second: Path) -> None:
    """Give each of two existing paths on one file system the other's name.

    On Linux it is one step (``renameat2`` with ``RENAME_EXCHANGE``): whoever looks finds one or the other, even after a
    kill. Elsewhere, and on file systems without it, it takes three renames, undone where one fails.

    Raises
    ------
    OSError
        A rename failed; both paths hold what they held.
    """
    if not _exchange_at_once(first, second):
        _exchange_by_renames(first, second)


def _exchange_at_once(first: Path, second: Path) -> bool:
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    status: int = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return status == 0


def _exchange_by_renames(first: Path, second: Path) -> None:
    aside = first.with_name(f"{first.name}.aside")
    first.rename(aside)
    try:
        second.rename(first)
    except OSError:
        aside.rename(first)
        raise
    aside.rename(second)
