"""What outlives a restart, in a JSON file that is replaced as a whole."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import DataError, ResourceError

Memory = TypeVar("Memory")


class _Version(msgspec.Struct):
    schema_version: int


def read_memory(path: Path, kind: type[Memory], version: int) -> Memory:
    """Read what was remembered.

    Parameters
    ----------
    kind
        What the file holds: a class that ``msgspec`` reads, with a ``schema_version``.
    version
        The newest that is understood.

    Raises
    ------
    DataError
        The file is damaged, or of a newer version.
    """
    try:
        contents = path.read_bytes()
        found = msgspec.json.decode(contents, type=_Version).schema_version
        if found > version:
            raise DataError("monitor.state_newer", str(path), found=found, expected=version)
        return msgspec.json.decode(contents, type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("monitor.state_damaged", str(path), reason=str(error)) from error


def write_memory(memory: object, path: Path) -> None:
    """Replace what was remembered; a power cut leaves the old file or the new one.

    Raises
    ------
    ResourceError
        The disk is full or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
            staged = Path(scratch, path.name)
            write_flushed(staged, msgspec.json.encode(memory))
            staged.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise ResourceError("inspect.not_written", str(path), reason=error.strerror or str(error)) from error
