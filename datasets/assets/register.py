"""The machines that are known, kept as one document each in a folder."""

import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import rfc8785

from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import AssetError, ResourceError
from andon.models.types.vibration import Machine

FOLDER = "assets"
"""Under ``andon_home``."""
SCHEMA_VERSION = 1
"""Rises where a reader would misread what it knows."""


class _Version(msgspec.Struct):
    schema_version: int


class _Document(msgspec.Struct):
    schema_version: int
    machine: Machine


@dataclass(frozen=True, slots=True)
class Imported:
    """A machine that was put into the register, and whether it replaced one of the same name."""

    machine: Machine
    replaced: bool


@dataclass(frozen=True, slots=True)
class AssetRegister:
    """Machines in ``folder``, one canonical JSON document (RFC 8785) each.

    A file is named by the SHA-256 of the asset's name, which may hold what a file's name may not and differ from another only
    in case. It is replaced as a whole or not at all.
    """

    folder: Path

    def import_machines(self, machines: Iterable[Machine]) -> tuple[Imported, ...]:
        """Keep ``machines``, each replacing the one of the same name.

        All are written and flushed before the first takes its name: a full disk changes nothing.

        Raises
        ------
        ResourceError
            The disk is full or cannot be written.
        """
        documents = [(machine, _encoded(machine)) for machine in machines]
        with _writing(self.folder) as scratch:
            for machine, document in documents:
                write_flushed(scratch / self._path(machine.asset).name, document)
            return tuple(self._put_in_place(machine, scratch) for machine, _ in documents)

    def knows(self, asset: str) -> bool:
        """Whether there is a machine of that name."""
        return self._path(asset).is_file()

    def get(self, asset: str) -> Machine:
        """Return the machine of that name.

        Raises
        ------
        AssetError
            There is none, or its document is damaged or newer than this program.
        """
        if not self.knows(asset):
            raise AssetError("asset.unknown", asset, folder=str(self.folder))
        return _read(self._path(asset))

    def machines(self) -> tuple[tuple[Machine, ...], tuple[AssetError, ...]]:
        """List all machines by name, and what is wrong with the documents that cannot be read.

        Both are empty where there is no such folder.
        """
        machines: list[Machine] = []
        problems: list[AssetError] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                machines.append(_read(path))
            except AssetError as error:
                problems.append(error)
        return tuple(sorted(machines, key=lambda machine: machine.asset)), tuple(problems)

    def _path(self, asset: str) -> Path:
        name = unicodedata.normalize("NFC", asset.strip())
        return self.folder / f"{sha256(name.encode()).hexdigest()}.json"

    def _put_in_place(self, machine: Machine, scratch: Path) -> Imported:
        path = self._path(machine.asset)
        replaced = path.exists()
        (scratch / path.name).replace(path)
        return Imported(machine, replaced)


def _read(path: Path) -> Machine:
    try:
        contents = path.read_bytes()
        if (found := msgspec.json.decode(contents, type=_Version).schema_version) > SCHEMA_VERSION:
            raise AssetError("asset.newer", str(path), found=found, known=SCHEMA_VERSION)
        return msgspec.json.decode(contents, type=_Document).machine
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AssetError("asset.damaged", str(path), found=str(error)) from error


def _encoded(machine: Machine) -> bytes:
    return rfc8785.dumps({"schema_version": SCHEMA_VERSION, "machine": asdict(machine)})


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Give a folder beside the documents, on the same disk, that is gone afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".import.", dir=folder))
        try:
            yield scratch
            flush_folder(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ResourceError("asset.not_written", str(folder), found=error.strerror or str(error)) from error
