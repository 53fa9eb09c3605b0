"""Fetch one file of a release from the package index that pip uses, as a file: nothing of it is built, installed or run."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from andon.datasets.cards.digests import file_digest
from andon.models.types.errors import DataError, ResourceError

DEFAULT_INDEX = "https://pypi.org/simple/"
TIMEOUT_S = 60.0
"""Longest silence of the index that is waited for; pip's own default of 15 s is short for mirrors that fetch on demand."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of a release: the project it belongs to, its name and its SHA-256 in hexadecimal."""

    project: str
    filename: str
    sha256: str


def index_url(environment: Mapping[str, str] | None = None) -> str:
    """Return the index that pip is configured with: ``PIP_INDEX_URL``, its files of settings, else pypi.org."""
    given = (os.environ if environment is None else environment).get("PIP_INDEX_URL") or _configured()
    return f"{(given or DEFAULT_INDEX).rstrip('/')}/"


def fetch_file(wanted: IndexFile, folder: Path, index: str) -> Path:
    """Return where ``wanted`` is in ``folder``, fetching it where it is not there yet or is not what it should be.

    Raises
    ------
    ResourceError
        If the index cannot be reached or does not have it, or it cannot be written.
    DataError
        If what the index delivers has another SHA-256.
    """
    kept = folder / wanted.filename
    if not (kept.is_file() and file_digest(kept) == wanted.sha256):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
                fetched = Path(scratch, wanted.filename)
                _download(wanted, fetched, index)
                _check(fetched, wanted)
                fetched.replace(kept)
        except OSError as error:
            raise ResourceError("record.not_kept", str(kept), reason=error.strerror or str(error)) from error
    return kept


def _download(wanted: IndexFile, target: Path, index: str) -> None:
    # Imported where it is used: it takes as long to import as all the rest of a short command.
    from pypi_simple import PyPISimple
    from pypi_simple.errors import NoSuchProjectError, UnsupportedContentTypeError, UnsupportedRepoVersionError
    from requests import RequestException

    try:
        with PyPISimple(index) as client:
            page = client.get_project_page(wanted.project, timeout=TIMEOUT_S)
            package = next((each for each in page.packages if each.filename == wanted.filename), None)
            if package is None:
                raise ResourceError("record.index_lacks", _shown(index), wanted=wanted.filename)
            # The pinned checksum is checked afterwards: the one that the index states says nothing about the release.
            client.download_package(package, target, verify=False, timeout=TIMEOUT_S)
    except NoSuchProjectError as error:
        raise ResourceError("record.index_lacks", _shown(index), wanted=wanted.filename) from error
    except (RequestException, UnsupportedContentTypeError, UnsupportedRepoVersionError) as error:
        # The text of these errors holds the address, and that may hold a password.
        reason = type(error).__name__
        raise ResourceError("record.index", _shown(index), wanted=wanted.filename, reason=reason) from error


def _check(path: Path, wanted: IndexFile) -> None:
    found = file_digest(path)
    if found != wanted.sha256:
        raise DataError("record.archive_checksum", wanted.filename, found=found, expected=wanted.sha256)


def _configured() -> str:
    """Ask pip, where it is installed beside Andon; empty where nobody has set an index.

    ``pip config get`` does not see all of its files of settings, ``pip config list`` does.
    """
    asked = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    settings = dict(line.partition("=")[::2] for line in said.splitlines())
    return settings.get("global.index-url", "").strip("'\"")


def _shown(index: str) -> str:
    """Leave out the user and password that the address of an index may hold."""
    parts = urlsplit(index)
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
