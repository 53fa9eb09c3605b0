"""Who released a bundle, as what, and when: ``signature.json``.

A signature is Ed25519 (RFC 8032) over the canonical JSON (RFC 8785) of everything that its entry says beside the signature itself. It covers the digest of
the manifest, which covers every other file, and what the manifest must not hold: the name that the bundle was released under, and a number that rises
with each release of that name, so that an old bundle is known for what it is however it comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import rfc8785

from andon.models.bundle.bundle import SIGNATURE, Bundle, Manifest_co
from andon.models.signing.keys import PublicKey, SigningKey
from andon.models.types.errors import BundleError
from andon.models.types.moments import as_text

SCHEMA_VERSION = 1
ALGORITHM = "Ed25519"
KIND = "bundle_release"
"""``type`` of what is signed, so that a signature of one thing never passes for that of another."""
MAX_BYTES = 1 << 16
MAX_RELEASE = 2**53 - 1
"""The largest whole number of RFC 8785, section 3.2.2.3."""

SomeBundle = TypeVar("SomeBundle", bound=Bundle[Any])
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Hex128 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


class SignatureError(BundleError):
    """A bundle is not signed by a key that is trusted, or for something else."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a bundle is released as.

    Parameters
    ----------
    name
        What it is a version of; a station takes no bundle that was released under another name.
    number
        From 1; of two releases of a name, the one with the lower number is the older.
    created
        When it was signed, by the clock that signed, in UTC.
    """

    name: str
    number: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's word for a release of a bundle.

    Parameters
    ----------
    manifest
        SHA-256 of the manifest as canonical JSON: the bundle's digest.
    key
        Fingerprint of the public key that checks it.
    """

    release: Release
    manifest: str
    key: str
    signature: bytes

    def document(self) -> dict[str, Any]:
        """Its entry in ``signature.json``."""
        return {**_signed(self.release, self.manifest, self.key), "signature": self.signature.hex()}


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["bundle_release"]
    algorithm: Literal["Ed25519"]
    manifest: Hex64
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    release: Annotated[int, msgspec.Meta(ge=1, le=MAX_RELEASE)]
    created: Annotated[datetime, msgspec.Meta(tz=True)]
    key: str
    signature: Hex128

    def decoded(self) -> Signature:
        release = Release(self.name, self.release, self.created.astimezone(UTC))
        return Signature(release, self.manifest, self.key, bytes.fromhex(self.signature))


class _Document(msgspec.Struct):
    schema_version: Annotated[int, msgspec.Meta(ge=1)]
    signatures: list[msgspec.Raw]


def sign_bundle(bundle: Bundle[Manifest_co], release: Release, key: SigningKey) -> Bundle[Manifest_co]:
    """Return the bundle with a signature by ``key``, in the place of an earlier one by it; those by other keys stay.

    Raises
    ------
    SignatureError
        What is signed already cannot be read.
    """
    whole = replace(
        release, created=release.created.astimezone(UTC).replace(microsecond=release.created.microsecond // 1000 * 1000)
    )
    fingerprint = key.public.fingerprint
    signed = key.sign(rfc8785.dumps(_signed(whole, bundle.digest, fingerprint)))
    others = [each for each in read_signatures(bundle.signature, SIGNATURE) if each.key != fingerprint]
    entries = [each.document() for each in (*others, Signature(whole, bundle.digest, fingerprint, signed))]
    return replace(bundle, signature=rfc8785.dumps({"schema_version": SCHEMA_VERSION, "signatures": entries}))


def read_signatures(document: bytes | None, subject: str) -> list[Signature]:
    """List what ``signature.json`` says, unchecked; nothing where there is none.

    Raises
    ------
    SignatureError
        It is damaged, or of a newer schema.
    """
    if document is None:
        return []
    try:
        if len(document) > MAX_BYTES:
            raise ValueError(f"{len(document)} B, of at most {MAX_BYTES}")
        found = msgspec.json.decode(document, type=_Document)
        if found.schema_version > SCHEMA_VERSION:
            raise SignatureError("bundle.newer_schema", subject, found=found.schema_version, expected=SCHEMA_VERSION)
        return [msgspec.json.decode(each, type=_Entry).decoded() for each in found.signatures]
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise SignatureError("bundle.signature_damaged", subject, reason=str(error)) from error


def check_signature(bundle: Bundle[Any], trusted: Iterable[PublicKey], subject: str) -> Signature:
    """Check that a trusted key signed this bundle; return its signature, that of the highest release where several did.

    Raises
    ------
    SignatureError
        It is not signed, not by a trusted key, for another manifest, or a signature by a trusted key is not genuine.
    """
    found = read_signatures(bundle.signature, f"{subject}/{SIGNATURE}")
    if not found:
        raise SignatureError("bundle.unsigned", subject)
    keys = {key.fingerprint: key for key in trusted}
    genuine = list(_genuine(found, keys, bundle.digest, subject))
    if not genuine:
        signers = ", ".join(each.key for each in found)
        raise SignatureError("bundle.other_key", subject, found=signers, expected=", ".join(keys) or "-")
    return max(genuine, key=lambda each: each.release.number)


def _genuine(found: Iterable[Signature], keys: dict[str, PublicKey], digest: str, subject: str) -> Iterator[Signature]:
    """The signatures by trusted keys; one of them that is not what it says condemns them all."""
    for each in found:
        if each.key not in keys:
            continue
        if each.manifest != digest:
            raise SignatureError("bundle.signed_other", subject, found=digest[:12], expected=each.manifest[:12])
        if not keys[each.key].verify(rfc8785.dumps(_signed(each.release, each.manifest, each.key)), each.signature):
            raise SignatureError("bundle.signature_false", subject, key=each.key)
        yield each


def _signed(release: Release, manifest: str, key: str) -> dict[str, Any]:
    return {
        "type": KIND,
        "algorithm": ALGORITHM,
        "manifest": manifest,
        "name": release.name,
        "release": release.number,
        "created": as_text(release.created),
        "key": key,
    }
