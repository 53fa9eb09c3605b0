"""``andon bundle keygen``: a pair of keys in two new files."""

from pathlib import Path

import pytest
from tests.conftest import Andon

from andon.models.signing.keys import PASSPHRASE_VARIABLE, load_public_key, load_signing_key


def test_it_writes_a_pair_and_says_its_fingerprint(andon: Andon, tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    said = andon("bundle", "keygen", "--out", path)
    public = load_public_key(tmp_path / "site.pem.pub")
    assert (said.code, said.err) == (0, "")
    for part in (str(path), str(path) + ".pub", public.fingerprint):
        assert part in said.out
    assert public.verify(b"data", load_signing_key(path, None).sign(b"data"))
    assert "PRIVATE KEY" not in said.out


def test_a_machine_is_told_the_same(andon: Andon, tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    (document,) = andon("bundle", "keygen", "--out", path, "--json").documents
    fingerprint = load_public_key(tmp_path / "site.pem.pub").fingerprint
    assert document == {"private": str(path), "public": f"{path}.pub", "fingerprint": fingerprint}


def test_a_passphrase_encrypts_the_key(andon: Andon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "secret words")
    said = andon("bundle", "keygen", "--out", tmp_path / "site.pem")
    assert "ENCRYPTED" in (tmp_path / "site.pem").read_text()
    assert load_signing_key(tmp_path / "site.pem", b"secret words")
    assert "secret words" not in said.out + said.err


def test_it_overwrites_nothing(andon: Andon, tmp_path: Path) -> None:
    assert andon("bundle", "keygen", "--out", tmp_path / "site.pem").code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("site*")}
    said = andon("bundle", "keygen", "--out", tmp_path / "site.pem", "--json")
    assert said.code == 2
    assert "site.pem" in said.complaint
    assert {path.name: path.read_bytes() for path in tmp_path.glob("site*")} == before


def test_a_place_that_cannot_be_written_is_said(andon: Andon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = andon("bundle", "keygen", "--out", tmp_path / "file" / "site.pem")
    assert said.code == 3
    assert "file" in said.complaint


def test_a_place_must_be_named(andon: Andon) -> None:
    said = andon("bundle", "keygen")
    assert said.code == 2
    assert "--out" in said.complaint
