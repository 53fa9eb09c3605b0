"""Bytes on disk before anything is said to be done."""

import os
from pathlib import Path


def write_flushed(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it. Raises ``OSError`` where that fails."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the disk has the names in ``folder``. Raises ``OSError`` where that fails."""
    if os.name != "posix":  # only there can a folder be opened and flushed
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
