"""Which files were taken, in a file that outlives kills and power cuts: a line for each."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import msgspec

from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import ResourceError


class Sign(msgspec.Struct, frozen=True, array_like=True):
    """By what it is seen that a file changed: its size in bytes and when it was last written, in nanoseconds since 1970."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at a file. Raises ``OSError`` where there is none."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


_FEW = 1000
"""As many lines as there were, and these, are added before the file is written anew."""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    sign: Sign
    sidecar: Sign | None = None
    is_taken: bool = True


class Journal:
    """Remembers of files by name whether they were taken or refused; open between ``open`` and ``close``.

    Parameters
    ----------
    path
        Its file; made where there is none. Its last line may be cut off: that file is then not known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, _Line] = {}
        self._file: IO[bytes] | None = None
        self._room = 0
        """Lines that may still be added."""

    def open(self) -> None:
        """Read it, and write it anew without what is superseded. Raises ``ResourceError``."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = _read(self._path)
            self._rewrite()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close its file; never raises: whatever could not be written was said when it was noted."""
        if self._file:
            with suppress(OSError):
                self._file.close()

    def knows(self, name: str, sign: Sign, sidecar: Sign | None) -> bool:
        """Whether a file that looks so was taken, or was refused with that sidecar."""
        line = self._lines.get(name)
        return line is not None and line.sign == sign and (line.is_taken or line.sidecar == sidecar)

    def note(self, name: str, sign: Sign, sidecar: Sign | None, *, is_taken: bool) -> None:
        """Remember a file, on disk before this returns. Raises ``ResourceError``; then it is known until the end of the process."""
        line = self._lines[name] = _Line(name, sign, sidecar, is_taken)
        if self._file is None:
            return
        try:
            self._append(self._file, line)
        except OSError as error:
            self._room = 0  # the line may be cut off: nothing is to come behind it
            raise self._failed(error) from error

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other files: they have gone."""
        for name in self._lines.keys() - names:
            del self._lines[name]

    def _append(self, file: IO[bytes], line: _Line) -> None:
        if not self._room:
            self._rewrite()
            return
        file.write(_encoded(line))
        file.flush()
        os.fsync(file.fileno())
        self._room -= 1

    def _rewrite(self) -> None:
        scratch = self._path.with_name(f"{self._path.name}.new")
        write_flushed(scratch, b"".join(map(_encoded, self._lines.values())))
        scratch.replace(self._path)
        flush_folder(self._path.parent)
        file = self._path.open("ab")
        self.close()
        self._file = file
        self._room = len(self._lines) + _FEW

    def _failed(self, error: OSError) -> ResourceError:
        return ResourceError("acquisition.journal", str(self._path), reason=error.strerror or str(error))


def _encoded(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _read(path: Path) -> dict[str, _Line]:
    lines: dict[str, _Line] = {}
    for text in path.read_bytes().splitlines() if path.exists() else []:
        try:
            line = msgspec.json.decode(text, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        lines[line.name] = line
    return lines
