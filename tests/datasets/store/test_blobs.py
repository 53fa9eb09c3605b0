"""Images and waveforms by the hash of their bytes."""

import errno
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest

from andon.datasets.store.blobs import BlobStore, open_blobs
from andon.models.types.errors import DataError, OptionError, ResourceError, StorageFullError
from andon.models.types.moments import EPOCH

IMAGE = b"\x89PNG and more"
DIGEST = sha256(IMAGE).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_what_is_put_comes_back_once(blobs: BlobStore) -> None:
    assert blobs.put(IMAGE) == blobs.put(IMAGE) == DIGEST
    assert blobs.get(DIGEST) == IMAGE
    assert (blobs.remove(DIGEST), blobs.remove(DIGEST)) == (len(IMAGE), 0)
    with pytest.raises(DataError, match="blob_missing"):
        blobs.get(DIGEST)


def test_old_files_are_found_by_what_the_store_made(blobs: BlobStore) -> None:
    blobs.put(IMAGE)
    path, half = f"{blobs.root}/{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}", f"{blobs.root}/ab/cd/.{'0' * 32}"
    blobs.files.makedirs(f"{blobs.root}/ab/cd")
    for each in (half, f"{blobs.root}/andon.db", f"{blobs.root}/ab/cd/notes.txt", f"{blobs.root}/ab/cd/{DIGEST}"):
        with blobs.files.open(each, "wb") as file:
            file.write(b"x")
    assert list(blobs.files_before(EPOCH)) == []
    assert sorted(blobs.files_before(datetime.now(UTC) + timedelta(days=1))) == sorted([path, half])
    assert (blobs.remove_file(half), blobs.remove_file(half)) == (1, 0)


def test_a_file_that_is_moved_while_files_are_listed_is_passed_over(blobs: BlobStore) -> None:
    """Whoever keeps something at this moment writes it beside its place and moves it there."""
    blobs.put(IMAGE)
    with patch.object(type(blobs.files), "modified", side_effect=FileNotFoundError):
        assert list(blobs.files_before(datetime.now(UTC))) == []
    with (
        patch.object(type(blobs.files), "modified", side_effect=OSError(errno.EIO, "broken")),
        pytest.raises(ResourceError),
    ):
        list(blobs.files_before(datetime.now(UTC)))


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    open_blobs(str(tmp_path)).put(IMAGE)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [DIGEST]


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path))
    blobs.put(IMAGE)
    next(tmp_path.rglob(DIGEST)).write_bytes(b"other")
    with pytest.raises(DataError, match="blob_damaged"):
        blobs.get(DIGEST)


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, StorageFullError), (errno.EIO, ResourceError)])
def test_a_disk_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind):
        open_blobs(str(tmp_path)).put(IMAGE)


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="blob_address"):
        open_blobs("nothing://there")
