"""A signature says who released a bundle, as what; whatever of that is changed, it does not hold."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.conftest import Andon

from andon.models.bundle.bundle import SIGNATURE, VisionBundle
from andon.models.bundle.runtime import load_bundle, load_inspector
from andon.models.bundle.signature import Release, SignatureError, check_signature, read_signatures, sign_bundle
from andon.models.bundle.storage import pack_bundle, read_bundle, unpack_bundle, write_bundle
from andon.models.signing.keys import SigningKey, generate_key, public_path, write_key_pair
from andon.models.types.errors import BundleError

RELEASE = Release("plates", 7, datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC))


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_key()


@pytest.fixture
def signed(tiny_bundle: VisionBundle, key: SigningKey) -> VisionBundle:
    return sign_bundle(tiny_bundle, RELEASE, key)


def refusal(bundle: VisionBundle, *keys: SigningKey) -> str:
    with pytest.raises(SignatureError) as caught:
        check_signature(bundle, [each.public for each in keys], "plates")
    return caught.value.code


def test_what_was_signed_is_confirmed(signed: VisionBundle, key: SigningKey) -> None:
    found = check_signature(signed, [key.public], "plates")
    assert (found.release, found.manifest, found.key) == (RELEASE, signed.digest, key.public.fingerprint)


@pytest.mark.parametrize("name", ["plates", "plates.andon"])
def test_it_survives_writing_and_reading(signed: VisionBundle, key: SigningKey, tmp_path: Path, name: str) -> None:
    write_bundle(signed, tmp_path / name)
    write_bundle(load_inspector(tmp_path / name).bundle, tmp_path / "again.andon")
    again = read_bundle(tmp_path / "again.andon")
    assert again.signature == signed.signature
    assert again.digest == signed.digest
    assert unpack_bundle(pack_bundle(signed), "plates").signature == signed.signature


def test_nobody_who_does_not_ask_sees_it(signed: VisionBundle, tmp_path: Path) -> None:
    write_bundle(replace(signed, signature=b"nonsense"), tmp_path / "plates")
    assert load_bundle(tmp_path / "plates").bundle.digest == signed.digest


def test_a_missing_signature_and_anothers_key_are_told_apart(
    tiny_bundle: VisionBundle, signed: VisionBundle, key: SigningKey
) -> None:
    assert refusal(tiny_bundle, key) == "bundle.unsigned"
    assert refusal(signed, generate_key()) == "bundle.other_key"
    assert refusal(signed) == "bundle.other_key"


def test_a_signature_of_another_bundle_does_not_hold(signed: VisionBundle, key: SigningKey) -> None:
    other = replace(signed, manifest=replace(signed.manifest, seed=99))
    assert refusal(other, key) == "bundle.signed_other"


def edited(bundle: VisionBundle, **members: object) -> VisionBundle:
    document = json.loads(bundle.signature or b"")
    document["signatures"][0].update(members)
    return replace(bundle, signature=json.dumps(document).encode())


@pytest.mark.parametrize(
    "members",
    [
        {"name": "boards"},
        {"release": 8},
        {"created": "2026-01-02T03:04:05.679Z"},
        {"signature": "00" * 64},
    ],
)
def test_nothing_that_it_says_can_be_changed(signed: VisionBundle, key: SigningKey, members: dict[str, object]) -> None:
    assert refusal(edited(signed, **members), key) == "bundle.signature_false"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: b"{",
        lambda document: document[:-1],
        lambda document: document + b" " * (1 << 16),
        lambda document: document.replace(b'"release":7', b'"release":-7'),
        lambda document: b'{"more":' + b"[" * (1 << 15),
        lambda document: document.replace(b"Ed25519", b"ed25519"),
        lambda document: document.replace(b"bundle_release", b"checkpoint"),
        lambda document: document.replace(b'"name"', b'"more":1,"name"'),
    ],
)
def test_what_is_no_signature_file_is_refused(
    signed: VisionBundle, key: SigningKey, spoil: Callable[[bytes], bytes]
) -> None:
    assert signed.signature
    spoilt = spoil(signed.signature)
    assert spoilt != signed.signature
    assert refusal(replace(signed, signature=spoilt), key) == "bundle.signature_damaged"


def test_a_newer_form_is_named(signed: VisionBundle, key: SigningKey) -> None:
    assert signed.signature
    newer = signed.signature.replace(b'"schema_version":1', b'"schema_version":2')
    assert refusal(replace(signed, signature=newer), key) == "bundle.newer_schema"


def test_keys_are_rotated_with_two_signatures(signed: VisionBundle, key: SigningKey) -> None:
    new = generate_key()
    both = sign_bundle(signed, replace(RELEASE, number=8), new)
    assert check_signature(both, [key.public], "plates").release.number == 7
    assert check_signature(both, [new.public], "plates").release.number == 8
    assert check_signature(both, [key.public, new.public], "plates").release.number == 8


def test_a_key_signs_once(signed: VisionBundle, key: SigningKey) -> None:
    again = sign_bundle(signed, replace(RELEASE, number=9), key)
    assert [each.release.number for each in read_signatures(again.signature, SIGNATURE)] == [9]


def test_one_false_signature_by_a_trusted_key_condemns_the_others(signed: VisionBundle, key: SigningKey) -> None:
    new = generate_key()
    assert refusal(edited(sign_bundle(signed, RELEASE, new), release=8), key, new) == "bundle.signature_false"


def test_a_false_signature_by_a_stranger_is_none_of_our_business(signed: VisionBundle, key: SigningKey) -> None:
    both = sign_bundle(signed, RELEASE, generate_key())
    document = json.loads(both.signature or b"")
    document["signatures"][1]["release"] = 99
    spoilt = replace(both, signature=json.dumps(document).encode())
    assert check_signature(spoilt, [key.public], "plates").release == RELEASE


def test_any_changed_byte_is_refused(signed: VisionBundle, key: SigningKey, tmp_path: Path) -> None:
    """Of every file of the bundle, and of what the signature says."""
    write_bundle(signed, tmp_path / "plates")
    checked = 0
    for path in sorted(each for each in (tmp_path / "plates").rglob("*") if each.is_file()):
        whole = path.read_bytes()
        for place in {0, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(BundleError):
                check_signature(read_bundle(tmp_path / "plates"), [key.public], "plates")
            checked += 1
        path.write_bytes(whole)
    assert checked > 20
    assert check_signature(read_bundle(tmp_path / "plates"), [key.public], "plates")


@pytest.fixture
def pem(key: SigningKey, tmp_path: Path) -> Path:
    write_key_pair(key, tmp_path / "site.pem", None)
    return tmp_path / "site.pem"


def test_the_commands_sign_and_verify(andon: Andon, bundle_dir: Path, pem: Path, key: SigningKey) -> None:
    digest = read_bundle(bundle_dir).digest
    said = andon("bundle", "sign", bundle_dir, "--key", pem, "--release", 7, "--json")
    assert (said.code, said.err) == (0, "")
    (document,) = said.documents
    assert (document["digest"], document["path"]) == (digest, str(bundle_dir))
    expected = {"key": key.public.fingerprint, "name": "plates", "release": 7}
    assert {name: document["signature"][name] for name in expected} == expected
    (verified,) = andon("bundle", "verify", bundle_dir, "--key", public_path(pem), "--json").documents
    assert verified["verified"]
    assert verified["signature"] == document["signature"]
    assert key.public.fingerprint in andon("bundle", "verify", bundle_dir, "--key", public_path(pem)).out


def test_without_a_number_the_release_rises_by_itself(andon: Andon, bundle_dir: Path, pem: Path) -> None:
    before = int(datetime.now(UTC).timestamp())
    (document,) = andon("bundle", "sign", bundle_dir, "--key", pem, "--name", "boards", "--json").documents
    assert before <= document["signature"]["release"] <= int(datetime.now(UTC).timestamp())
    assert document["signature"]["name"] == "boards"


def test_a_zip_is_signed_and_named_without_its_ending(
    andon: Andon, tiny_bundle: VisionBundle, pem: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plates.andon"
    write_bundle(tiny_bundle, path)
    (document,) = andon("bundle", "sign", path, "--key", pem, "--json").documents
    assert document["signature"]["name"] == "plates"
    assert andon("bundle", "verify", path, "--key", public_path(pem)).code == 0


def test_verifying_with_a_key_fails_without_its_signature(
    andon: Andon, bundle_dir: Path, pem: Path, tmp_path: Path
) -> None:
    unsigned = andon("bundle", "verify", bundle_dir, "--key", public_path(pem))
    assert (unsigned.code, unsigned.out) == (1, "")
    assert "found no signature" in unsigned.complaint
    write_key_pair(generate_key(), tmp_path / "other.pem", None)
    andon("bundle", "sign", bundle_dir, "--key", tmp_path / "other.pem")
    said = andon("bundle", "verify", bundle_dir, "--key", public_path(pem), "--json")
    assert (said.code, said.documents[0]["verified"]) == (1, False)
    assert "signatures by" in said.documents[0]["error"]
    assert andon("bundle", "verify", bundle_dir).code == 0, "nobody asked for a signature"


def test_a_changed_byte_fails_the_verification(andon: Andon, bundle_dir: Path, pem: Path) -> None:
    andon("bundle", "sign", bundle_dir, "--key", pem)
    bank = bundle_dir / "bank.npy"
    bank.write_bytes(bank.read_bytes()[:-1] + b"\x7f")
    said = andon("bundle", "verify", bundle_dir, "--key", public_path(pem))
    assert (said.code, said.out) == (1, "")
    assert "bank.npy" in said.complaint


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**53)])
def test_a_release_is_a_number_that_json_holds(andon: Andon, bundle_dir: Path, pem: Path, number: str) -> None:
    said = andon("bundle", "sign", bundle_dir, "--key", pem, f"--release={number}")
    assert said.code == 2
    assert "--release" in said.complaint
    assert read_bundle(bundle_dir).signature is None


def test_a_key_that_cannot_be_used_is_bad_input(andon: Andon, bundle_dir: Path, pem: Path) -> None:
    assert andon("bundle", "sign", bundle_dir, "--key", public_path(pem)).code == 2
    assert andon("bundle", "verify", bundle_dir, "--key", pem).code == 2
    assert read_bundle(bundle_dir).signature is None
