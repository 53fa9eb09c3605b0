"""The versions of a station's bundle on disk, and which of them runs.

::

    versions/DIGEST/   whole bundles
    current            link to the one that runs
    previous           link to the one before
    accepted.json      versions that took over here
    progress.json      where the update stands

Every step is one rename, and waits for the disk: at any moment, and after a power cut, ``current`` leads to a whole bundle.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from andon.hardware.edge.updates.atomic import remove_link, replace_file, replace_link
from andon.hardware.edge.updates.journal import Journal
from andon.hardware.edge.updates.state import UpdateState
from andon.models.bundle.bundle import AnyBundle
from andon.models.bundle.storage import write_bundle
from andon.models.files.durable import flush_folder
from andon.models.types.errors import ResourceError

SCHEMA_VERSION = 1
VERSIONS, CURRENT, PREVIOUS = "versions", "current", "previous"
ACCEPTED, UPDATE = "accepted.json", "progress.json"


class _Kept(msgspec.Struct):
    schema_version: int


class _Accepted(_Kept):
    journal: Journal


class _Update(_Kept):
    state: UpdateState


Content = TypeVar("Content", bound=_Kept)


class Slots:
    """A station's folder. Used by one process at a time; ``recover`` comes first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = folder / VERSIONS

    def recover(self) -> None:
        """Make what is missing, and clear away what a killed process left half.

        Raises
        ------
        ResourceError
            The disk cannot be read or written; so do all other methods.
        """
        with self._guarded():
            self._versions.mkdir(parents=True, exist_ok=True)
            for path in self._versions.iterdir():
                if path.name.startswith("."):
                    shutil.rmtree(path)

    @property
    def current(self) -> str | None:
        """Digest of the version that runs; None before the first."""
        return self._leads_to(CURRENT)

    @property
    def previous(self) -> str | None:
        """Digest of the version before."""
        return self._leads_to(PREVIOUS)

    def versions(self) -> list[str]:
        """Digests of the versions that are kept."""
        with self._guarded():
            return sorted(path.name for path in self._versions.iterdir() if not path.name.startswith("."))

    def path(self, digest: str) -> Path:
        """Where a version is kept."""
        return self._versions / digest

    def put(self, bundle: AnyBundle) -> Path:
        """Keep a version; in the place of the same one with other signatures."""
        path = self.path(bundle.digest)
        write_bundle(bundle, path)
        return path

    def point(self, current: str, previous: str | None) -> None:
        """Let another version run. ``current`` comes last: until then, what ran runs."""
        with self._guarded():
            if previous is None:
                remove_link(self.folder / PREVIOUS)
            else:
                replace_link(self.folder / PREVIOUS, f"{VERSIONS}/{previous}")
            replace_link(self.folder / CURRENT, f"{VERSIONS}/{current}")

    def keep_only(self, digests: Collection[str]) -> None:
        """Remove all other versions; each is out of the way in one step."""
        for digest in self.versions():
            if digest not in digests:
                with self._guarded():
                    aside = self._versions / f".gone.{digest}"
                    self.path(digest).rename(aside)
                    flush_folder(self._versions)
                    shutil.rmtree(aside)

    def journal(self) -> Journal:
        """Which versions took over here."""
        kept = self._read(ACCEPTED, _Accepted)
        return kept.journal if kept else Journal()

    def write_journal(self, journal: Journal) -> None:
        """Remember which versions took over here."""
        self._write(ACCEPTED, _Accepted(SCHEMA_VERSION, journal))

    def state(self) -> UpdateState:
        """Where the update stands."""
        kept = self._read(UPDATE, _Update)
        return kept.state if kept else UpdateState()

    def write_state(self, state: UpdateState) -> None:
        """Remember where the update stands."""
        self._write(UPDATE, _Update(SCHEMA_VERSION, state))

    def _leads_to(self, link: str) -> str | None:
        path = self.folder / link
        with self._guarded():
            return path.readlink().name if path.is_symlink() else None

    def _read(self, name: str, kind: type[Content]) -> Content | None:
        path = self.folder / name
        with self._guarded():
            if not path.exists():
                return None
            data = path.read_bytes()
        try:
            content = msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as error:
            raise ResourceError("update.slots_damaged", str(path), reason=str(error)) from error
        if content.schema_version > SCHEMA_VERSION:
            raise ResourceError("update.slots_damaged", str(path), reason="schema_version")
        return content

    def _write(self, name: str, content: _Kept) -> None:
        with self._guarded():
            replace_file(self.folder / name, msgspec.json.encode(content))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResourceError("update.slots", str(self.folder), reason=error.strerror or str(error)) from error
