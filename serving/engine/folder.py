"""What lies in a folder of bundles, and whether it changed."""

from collections.abc import Iterator
from pathlib import Path

from andon.models.bundle.bundle import GOLDEN_FOLDER
from andon.models.bundle.storage import ZIP_SUFFIX

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""Name, time of change in nanoseconds, size and inode of each file."""


def find_bundles(folder: Path) -> dict[str, Path]:
    """List the bundles of ``folder`` by model name, which is the entry's without ``.andon``.

    Hidden entries are those that are still being written. Of a folder and a zip of one name, the folder counts.

    Raises
    ------
    OSError
        The folder cannot be read.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or path.suffix == ZIP_SUFFIX):
            found.setdefault(path.name.removesuffix(ZIP_SUFFIX), path)
    return found


def fingerprint(path: Path) -> Fingerprint:
    """Describe the bundle at ``path`` so that another one, or the same with a changed file, is told from it.

    Every file counts and not the manifest alone: where a bundle is copied in file by file, the manifest may come first.
    """
    return tuple(sorted(_describe(path, path)))


def _describe(path: Path, root: Path) -> Iterator[tuple[str, int, int, int]]:
    try:
        status = path.stat()
        yield path.relative_to(root).as_posix(), status.st_mtime_ns, status.st_size, status.st_ino
        if path.is_dir() and (path == root or path.name == GOLDEN_FOLDER):
            for child in path.iterdir():
                yield from _describe(child, root)
    except OSError:
        # It went away while it was looked at: what comes in its place has another fingerprint.
        return
