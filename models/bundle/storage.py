"""Bundles on disk: a folder, or the same folder as a zip that ends in ``.andon``."""

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from andon.models.bundle.bundle import GOLDEN_FOLDER, MANIFEST, AnyBundle, checked_bundle
from andon.models.bundle.exchange import exchange
from andon.models.files.durable import flush_folder, write_flushed
from andon.models.types.errors import BundleError, OptionError, ResourceError

ZIP_SUFFIX = ".andon"
MAX_BYTES = 2**30
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def read_bundle(path: Path) -> AnyBundle:
    """Read and check the bundle at ``path``.

    Raises
    ------
    BundleError
        There is no bundle, or it is damaged, incomplete, of a newer schema, or holds what a bundle may not hold.
    """
    try:
        contents = _unzip(path.read_bytes(), str(path)) if path.is_file() else _read_folder(path)
    except OSError as error:
        raise BundleError("bundle.unreadable", str(path), reason=error.strerror or str(error)) from error
    return checked_bundle(contents, str(path))


def unpack_bundle(packed: bytes, subject: str) -> AnyBundle:
    """Read and check a bundle from the bytes of an ``.andon`` file. Raises as ``read_bundle``."""
    return checked_bundle(_unzip(packed, subject), subject)


def pack_bundle(bundle: AnyBundle) -> bytes:
    """The bytes of the ``.andon`` file of ``bundle``: the same ones each time."""
    return _zip_bytes(bundle.contents)


def write_bundle(bundle: AnyBundle, path: Path) -> None:
    """Write ``bundle`` at ``path``, replacing what is there as a whole or not at all.

    Everything is written and flushed beside ``path`` first, then takes its name.

    Raises
    ------
    OptionError
        ``path`` holds something else than a bundle.
    ResourceError
        The disk is full or cannot be written; what was at ``path`` is untouched.
    """
    check_replaceable(path)
    contents = bundle.contents
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            staged = scratch / "new"
            if path.suffix == ZIP_SUFFIX:
                write_flushed(staged, _zip_bytes(contents))
                staged.replace(path)
            else:
                _write_folder(staged, contents)
                _put_in_place(staged, path)
            flush_folder(path.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ResourceError("bundle.not_written", str(path), reason=error.strerror or str(error)) from error


def check_replaceable(path: Path) -> None:
    """Refuse a ``path`` that holds something else than a bundle, before hours are spent on its successor."""
    if path.suffix == ZIP_SUFFIX:
        replaceable = not path.exists() or path.is_file()
    else:
        replaceable = not path.exists() or (path.is_dir() and ((path / MANIFEST).is_file() or not any(path.iterdir())))
    if path.is_symlink() or not replaceable:
        raise OptionError("bundle.not_replaceable", str(path))


def _put_in_place(staged: Path, path: Path) -> None:
    """Give ``staged`` the name ``path``; a former folder is left under the staged name."""
    if path.exists():
        exchange(staged, path)
    else:
        staged.rename(path)


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    (folder / GOLDEN_FOLDER).mkdir(parents=True)
    for name, data in contents.items():
        write_flushed(folder / name, data)
    flush_folder(folder / GOLDEN_FOLDER)
    flush_folder(folder)


def _zip_bytes(contents: Mapping[str, bytes]) -> bytes:
    """Pack in a fixed order with a fixed time, so that equal bundles give equal zips."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, contents[name])
    return buffer.getvalue()


def _read_folder(root: Path) -> dict[str, bytes]:
    if not root.is_dir() or not (root / MANIFEST).is_file():
        raise BundleError("bundle.no_manifest", str(root))
    contents: dict[str, bytes] = {}
    left = MAX_BYTES
    for name, path in _walk(root):
        left -= path.stat().st_size
        if left < 0:
            raise BundleError("bundle.too_large", str(root), limit=MAX_BYTES >> 20)
        contents[name] = path.read_bytes()
    return contents


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Files of the bundle by name. Links are refused: what they point at was not signed for."""
    for path in sorted((*root.iterdir(), *_entries(root / GOLDEN_FOLDER))):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise BundleError("bundle.link", f"{root}/{name}")
        if path.is_file():
            yield name, path
        elif name != GOLDEN_FOLDER:
            raise BundleError("bundle.extra_file", f"{root}/{name}")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _unzip(packed: bytes, subject: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            entries = archive.infolist()
            _check_entries(entries, subject)
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise BundleError("bundle.zip", subject, reason=str(error)) from error


def _check_entries(entries: list[zipfile.ZipInfo], subject: str) -> None:
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise BundleError("bundle.too_large", subject, limit=MAX_BYTES >> 20)
    names: set[str] = set()
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BundleError("bundle.link", f"{subject}/{entry.filename}")
        if entry.filename in names or not is_plain(entry.filename):
            raise BundleError("bundle.extra_file", f"{subject}/{entry.filename}")
        names.add(entry.filename)


def is_plain(name: str) -> bool:
    """Say whether a bundle may hold a file of that name: none may lead out of it.

    >>> is_plain("goldens/00.png"), is_plain("../bank.npy"), is_plain("more/bank.npy")
    (True, False, False)
    """
    folder, _, file = name.rpartition("/")
    return folder in ("", GOLDEN_FOLDER) and file not in ("", ".", "..") and "\\" not in file
