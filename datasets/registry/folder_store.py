"""A folder of released bundles: on a share, or on a stick that is carried to the line.

``NAME/versions/DIGEST.andon`` is a bundle, ``NAME/aliases/ALIAS`` a file with the digest that the alias stands for: no links, which sticks do not know.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from andon.datasets.registry.stores import CHAMPION, check_alias, check_name
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.storage import ZIP_SUFFIX, read_bundle, write_bundle
from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import BundleError, NotFoundError, ResourceError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_ALIAS_BYTES = 128

Done = TypeVar("Done")


class FolderStore:
    """Bundles in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str, alias: str = CHAMPION) -> str:
        """Read what an alias stands for."""
        path = self._alias(name, alias)
        if not path.is_file():
            raise NotFoundError("update.unknown", f"{self._folder}: {name}@{alias}")
        said = _attempt(self._folder, lambda: _beginning(path)).decode("ascii", "replace").strip()
        if not _DIGEST.fullmatch(said):
            raise ResourceError("update.store", str(path), reason=f"{said!r} is no digest")
        return said

    def get(self, name: str, alias: str = CHAMPION) -> AnyBundle:
        """Read the bundle that an alias stands for."""
        digest = self.find(name, alias)
        bundle = read_bundle(self.path(name, digest))
        if bundle.digest != digest:
            raise BundleError("update.other", f"{name}@{alias}", found=bundle.digest[:12], expected=digest[:12])
        return bundle

    def put(self, bundle: AnyBundle, name: str) -> str:
        """Write a bundle, in the place of the same one with other signatures; its version is its digest."""
        write_bundle(bundle, self.path(name, bundle.digest))
        return bundle.digest

    def promote(self, name: str, version: str, alias: str = CHAMPION) -> None:
        """Write what an alias stands for: the one before or the new one is there at any moment."""
        path = self._alias(name, alias)
        if not self.path(name, version).is_file():
            raise NotFoundError("update.unknown", f"{self._folder}: {name}/{version}")
        _attempt(self._folder, lambda: _replace(path, f"{version}\n".encode()))

    def path(self, name: str, version: str) -> Path:
        """Where a version is, or would be, kept."""
        check_name(name)
        if not _DIGEST.fullmatch(version):
            raise NotFoundError("update.unknown", f"{self._folder}: {name}/{version}")
        return self._folder / name / "versions" / f"{version}{ZIP_SUFFIX}"

    def _alias(self, name: str, alias: str) -> Path:
        check_name(name)
        check_alias(alias)
        return self._folder / name / "aliases" / alias


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_ALIAS_BYTES)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{path.name}")
    write_flushed(beside, data)
    beside.replace(path)
    flush_folder(path.parent)


def _attempt(folder: Path, work: Callable[[], Done]) -> Done:
    try:
        return work()
    except OSError as error:
        raise ResourceError("update.store", str(folder), reason=error.strerror or str(error)) from error
