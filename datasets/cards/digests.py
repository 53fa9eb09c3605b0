"""Checksums over what a data set contains."""

from collections.abc import Iterable
from hashlib import file_digest as digest_file
from hashlib import sha256
from pathlib import Path

import rfc8785

from andon.models.types.errors import ResourceError
from andon.models.types.vibration import RecordSample
from andon.models.types.vision import ImageSample


def digest_of(samples: Iterable[ImageSample | RecordSample]) -> str:
    """Return the SHA-256 of a set of samples: of what they are, not of their order or where they are kept.

    It is taken over the canonical JSON (RFC 8785) of the sorted list of ``[name, label, unit, digest]``.

    Raises
    ------
    ResourceError
        If a sample cannot be read.
    """
    return digest_of_rows([sample.name, sample.label, sample.unit, sample.digest()] for sample in samples)


def digest_of_rows(rows: Iterable[list[str]]) -> str:
    """Return the SHA-256, in hexadecimal, over the canonical JSON of the sorted rows.

    >>> digest_of_rows([["b"], ["a"]]) == digest_of_rows([["a"], ["b"]])
    True
    """
    return sha256(rfc8785.dumps(sorted(rows))).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises
    ------
    ResourceError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return digest_file(file, "sha256").hexdigest()
    except OSError as error:
        raise ResourceError("data.unreadable", str(path), found=error.strerror or "") from error
