"""Keys are kept where only their owner reads them, and a file that holds no such key is refused with its reason."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.models.messages.catalogue import LANGUAGES, catalogue
from andon.models.signing.keys import (
    PASSPHRASE_VARIABLE,
    SigningKeyError,
    generate_key,
    load_public_key,
    load_signing_key,
    parse_public_key,
    parse_signing_key,
    passphrase_of,
    public_path,
    write_key_pair,
)
from andon.models.types.errors import InputError, ResourceError

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")

# RFC 8032, section 7.1, test 3
SECRET = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
MESSAGE = bytes.fromhex("af82")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
    "4a7c15e9716ed28dc027beceea1ec40a"
)


def rfc_pem() -> bytes:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(SECRET)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def refusal(load: Callable[[], object]) -> SigningKeyError:
    with pytest.raises(SigningKeyError) as caught:
        load()
    assert isinstance(caught.value, InputError)
    for language in LANGUAGES:
        assert catalogue(language).error(caught.value)
    return caught.value


def test_signatures_are_those_of_the_standard() -> None:
    key = parse_signing_key(rfc_pem(), None, "rfc")
    assert key.sign(MESSAGE) == SIGNATURE
    assert key.public.verify(MESSAGE, SIGNATURE)


@given(data=st.binary(max_size=100), place=st.integers(0, 63), mask=st.integers(1, 255))
def test_another_message_signature_or_key_does_not_verify(data: bytes, place: int, mask: int) -> None:
    key = parse_signing_key(rfc_pem(), None, "rfc")
    signature = bytearray(key.sign(data))
    assert key.public.verify(data, bytes(signature))
    assert not key.public.verify(data + b"\x00", bytes(signature))
    assert not generate_key().public.verify(data, bytes(signature))
    signature[place] ^= mask
    assert not key.public.verify(data, bytes(signature))


@pytest.mark.parametrize("signature", [b"", b"\x00", bytes(63), bytes(64), bytes(65)])
def test_what_is_no_signature_does_not_verify(signature: bytes) -> None:
    assert not generate_key().public.verify(b"data", signature)


@pytest.mark.parametrize("passphrase", [None, "口令 1".encode()])
def test_a_pair_comes_back_from_its_files(tmp_path: Path, passphrase: bytes | None) -> None:
    key, path = generate_key(), tmp_path / "keys" / "site.pem"
    write_key_pair(key, path, passphrase)
    assert sorted(each.name for each in path.parent.iterdir()) == ["site.pem", "site.pem.pub"]
    assert load_signing_key(path, passphrase).sign(b"data") == key.sign(b"data")
    assert load_public_key(public_path(path)).fingerprint == key.public.fingerprint
    assert (b"ENCRYPTED" in path.read_bytes()) == (passphrase is not None)


def test_a_passphrase_is_not_looked_at_where_the_key_is_not_encrypted(tmp_path: Path) -> None:
    key = generate_key()
    write_key_pair(key, tmp_path / "site.pem", None)
    assert load_signing_key(tmp_path / "site.pem", b"x").public.fingerprint == key.public.fingerprint


@POSIX
@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_only_the_owner_reads_the_private_key(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_key_pair(generate_key(), tmp_path / "site.pem", None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "site.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "site.pem.pub").stat().st_mode) == 0o644


def test_no_key_shows_itself() -> None:
    key = parse_signing_key(rfc_pem(), None, "rfc")
    assert repr(key) == "SigningKey()"
    assert repr(key.public) == "PublicKey()"


def test_keys_differ() -> None:
    assert generate_key().public.fingerprint != generate_key().public.fingerprint


def test_openssl_reads_them_and_sees_the_same_fingerprint(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, path = generate_key(), tmp_path / "site.pem"
    write_key_pair(key, path, b"secret")
    for words in (["-in", str(path), "-passin", "pass:secret"], ["-pubin", "-in", str(public_path(path))]):
        said = subprocess.run([openssl, "pkey", *words, "-pubout"], capture_output=True, check=True)
        assert parse_public_key(said.stdout, "openssl").fingerprint == key.public.fingerprint
    der = [openssl, "pkey", "-pubin", "-in", str(public_path(path)), "-outform", "DER"]
    encoded = subprocess.run(der, capture_output=True, check=True)
    digest = subprocess.run([openssl, "dgst", "-sha256", "-r"], input=encoded.stdout, capture_output=True, check=True)
    assert digest.stdout.decode().startswith(key.public.fingerprint)
    assert len(key.public.fingerprint) == 32


@pytest.mark.parametrize("there", ["site.pem", "site.pem.pub"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"precious")
    found = refusal(lambda: write_key_pair(generate_key(), tmp_path / "site.pem", None))
    assert (found.code, found.subject) == ("signing.exists", str(tmp_path / there))
    assert [each.name for each in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"precious"


@POSIX
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "site.pem").symlink_to(tmp_path / "elsewhere")
    assert refusal(lambda: write_key_pair(generate_key(), tmp_path / "site.pem", None)).code == "signing.exists"
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    assert refusal(lambda: write_key_pair(generate_key(), tmp_path, None)).code == "signing.exists"
    assert not public_path(tmp_path).exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError) as caught:
        write_key_pair(generate_key(), tmp_path / "file" / "site.pem", None)
    assert caught.value.code == "signing.not_written"


@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_no_half_of_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    calls = 0

    def fsync(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ResourceError, match="No space left"):
        write_key_pair(generate_key(), tmp_path / "site.pem", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (rsa_key, "RSA"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "EC"),
    ],
)
def test_a_key_of_another_kind_is_named(make: Callable[[], rsa.RSAPrivateKey], kind: str) -> None:
    key = make()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for found in (
        refusal(lambda: parse_signing_key(private, None, "a.pem")),
        refusal(lambda: parse_public_key(public, "a.pem")),
    ):
        assert (found.code, found.subject, found.params["found"]) == ("signing.kind", "a.pem", kind)


def test_the_wrong_half_is_named() -> None:
    key = generate_key()
    assert refusal(lambda: parse_signing_key(key.public.pem(), None, "a")).code == "signing.public"
    for pem in (key.pem(None), key.pem(b"secret")):
        assert refusal(partial(parse_public_key, pem, "a")).code == "signing.private"


def test_an_encrypted_key_asks_for_its_passphrase() -> None:
    key = generate_key()
    pem = key.pem(b"secret")
    found = refusal(lambda: parse_signing_key(pem, None, "a.pem"))
    assert (found.code, found.params["expected"]) == ("signing.encrypted", PASSPHRASE_VARIABLE)
    wrong = refusal(lambda: parse_signing_key(pem, b"guess", "a.pem"))
    assert wrong.code == "signing.passphrase"
    assert "guess" not in str(wrong)
    assert parse_signing_key(pem, b"secret", "a.pem").sign(b"") == key.sign(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x00\xff",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        rfc_pem()[:60],
    ],
)
def test_what_is_no_pem_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pem").write_bytes(data)
    found = refusal(lambda: load_signing_key(tmp_path / "a.pem", b"secret"))
    assert (found.code, found.subject) == ("signing.not_pem", str(tmp_path / "a.pem"))
    assert refusal(lambda: load_public_key(tmp_path / "a.pem")).code in ("signing.not_pem", "signing.private")


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_a_key(data: st.DataObject) -> None:
    for pem, parse in (
        (rfc_pem(), lambda found: parse_signing_key(found, b"secret", "a.pem")),
        (parse_signing_key(rfc_pem(), None, "a").public.pem(), lambda found: parse_public_key(found, "a.pem")),
    ):
        changed = bytearray(pem)
        for place in data.draw(st.lists(st.integers(0, len(pem) - 1), min_size=1, max_size=4)):
            changed[place] = data.draw(st.integers(0, 255))
        try:
            parse(bytes(changed))
        except SigningKeyError as error:
            assert error.code.startswith("signing.")


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "none" / "x"):
        for load in (partial(load_signing_key, path, None), partial(load_public_key, path)):
            found = refusal(load)
            assert (found.code, found.subject) == ("signing.unreadable", str(path))
            assert found.params["reason"]


def test_a_file_is_read_no_further_than_a_key_is_long(tmp_path: Path) -> None:
    pem = generate_key().public.pem()
    for length, holds in ((1_000, True), (70_000, False)):
        (tmp_path / "a.pub").write_bytes(b"#" * length + b"\n" + pem)
        if holds:
            assert load_public_key(tmp_path / "a.pub").pem() == pem
        else:
            assert refusal(lambda: load_public_key(tmp_path / "a.pub")).code == "signing.not_pem"


def test_the_passphrase_comes_from_the_environment() -> None:
    assert passphrase_of({PASSPHRASE_VARIABLE: "口令"}) == "口令".encode()
    assert passphrase_of({PASSPHRASE_VARIABLE: ""}) is None
    assert passphrase_of({}) is None
    found = refusal(lambda: passphrase_of({PASSPHRASE_VARIABLE: "x" * 1024}))
    assert (found.code, found.params["found"]) == ("signing.passphrase_long", 1024)
    generate_key().pem(passphrase_of({PASSPHRASE_VARIABLE: "x" * 1023}))
