"""Ed25519 key pairs (RFC 8032): made, kept in files, loaded, used.

Private keys are kept as PKCS#8 (RFC 5958), public keys as SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7; RFC 8410), both as PEM, so that
``openssl pkey`` reads them.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from andon.models.files.durable import flush_folder
from andon.models.types.errors import InputError, ResourceError

PASSPHRASE_VARIABLE = "ANDON_SIGNING_PASSPHRASE"
PUBLIC_SUFFIX = ".pub"
_PRIVATE_MODE, _PUBLIC_MODE = 0o600, 0o644
_MAX_BYTES = 1 << 16
_MAX_PASSPHRASE_BYTES = 1023
_FINGERPRINT_DIGITS = 32

_Key = TypeVar("_Key")


class SigningKeyError(InputError):
    """A file holds no key that can be used, or a key may not be written there."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Checks signatures."""

    _key: Ed25519PublicKey = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """The first 128 bits of the SHA-256 of the key as SubjectPublicKeyInfo in DER, in hexadecimal digits."""
        encoded = self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(encoded).hexdigest()[:_FINGERPRINT_DIGITS]

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Say whether ``signature`` was made of ``data`` with the private key of this one."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """SubjectPublicKeyInfo as PEM."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Makes signatures."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        return PublicKey(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``: 64 bytes, the same ones each time."""
        return self._key.sign(data)

    def pem(self, passphrase: bytes | None) -> bytes:
        """PKCS#8 as PEM, encrypted where there is a passphrase."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def generate_key() -> SigningKey:
    """Make a key from the random numbers of the system."""
    return SigningKey(Ed25519PrivateKey.generate())


def passphrase_of(environment: Mapping[str, str]) -> bytes | None:
    """Read the passphrase from ``ANDON_SIGNING_PASSPHRASE``; None where it is empty or not set.

    Raises
    ------
    SigningKeyError
        It is longer than can be used.
    """
    passphrase = os.fsencode(environment.get(PASSPHRASE_VARIABLE, ""))
    if len(passphrase) > _MAX_PASSPHRASE_BYTES:
        limits = {"found": len(passphrase), "expected": _MAX_PASSPHRASE_BYTES}
        raise SigningKeyError("signing.passphrase_long", PASSPHRASE_VARIABLE, **limits)
    return passphrase or None


def public_path(path: Path) -> Path:
    """Where the public key of the private key at ``path`` is kept.

    >>> public_path(Path("site.pem")).name
    'site.pem.pub'
    """
    return Path(f"{path}{PUBLIC_SUFFIX}")


def write_key_pair(key: SigningKey, path: Path, passphrase: bytes | None) -> None:
    """Write the private key to ``path``, readable by its owner only, and the public key beside it. Both or neither.

    Raises
    ------
    SigningKeyError
        One of the two files is already there.
    ResourceError
        The disk is full or cannot be written.
    """
    _make_folder(path.parent)
    _write_new(path, key.pem(passphrase), _PRIVATE_MODE)
    try:
        _write_new(public_path(path), key.public.pem(), _PUBLIC_MODE)
    except (SigningKeyError, ResourceError):
        path.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def load_signing_key(path: Path, passphrase: bytes | None) -> SigningKey:
    """Load a private key.

    Parameters
    ----------
    passphrase
        Not looked at where the key is not encrypted.

    Raises
    ------
    SigningKeyError
        The file cannot be read, is no PEM, holds a public key or another kind of key, is encrypted without a passphrase, or the
        passphrase is wrong.
    """
    return parse_signing_key(_read(path), passphrase, str(path))


def load_public_key(path: Path) -> PublicKey:
    """Load a public key.

    Raises
    ------
    SigningKeyError
        The file cannot be read, is no PEM, or holds a private key or another kind of key.
    """
    return parse_public_key(_read(path), str(path))


def parse_signing_key(data: bytes, passphrase: bytes | None, subject: str) -> SigningKey:
    """Read a private key from PEM; ``subject`` is what an error is about. Raises as ``load_signing_key``."""
    if b"PUBLIC KEY-----" in data:
        raise SigningKeyError("signing.public", subject)
    key = _decoded(lambda: _open_private(data, passphrase, subject), subject)
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError("signing.kind", subject, found=_kind(key))
    return SigningKey(key)


def parse_public_key(data: bytes, subject: str) -> PublicKey:
    """Read a public key from PEM; ``subject`` is what an error is about. Raises as ``load_public_key``."""
    if b"PRIVATE KEY-----" in data:
        raise SigningKeyError("signing.private", subject)
    key = _decoded(lambda: load_pem_public_key(data), subject)
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError("signing.kind", subject, found=_kind(key))
    return PublicKey(key)


def _open_private(data: bytes, passphrase: bytes | None, subject: str) -> object:
    try:
        return load_pem_private_key(data, None)
    except TypeError as error:  # how cryptography says that it is encrypted
        if passphrase is None:
            raise SigningKeyError("signing.encrypted", subject, expected=PASSPHRASE_VARIABLE) from error
    try:
        return load_pem_private_key(data, passphrase)
    except ValueError as error:
        raise SigningKeyError("signing.passphrase", subject, expected=PASSPHRASE_VARIABLE) from error


def _decoded(read: Callable[[], _Key], subject: str) -> _Key:
    try:
        return read()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError("signing.not_pem", subject) from error


def _kind(key: object) -> str:
    """The kind of a key of another kind, as its class is named.

    >>> from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    >>> _kind(X25519PrivateKey.generate())
    'X25519'
    """
    name = type(key).__name__.lstrip("_")
    return name.partition("Private")[0].partition("Public")[0]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError as error:
        raise SigningKeyError("signing.unreadable", str(path), reason=error.strerror or str(error)) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError("signing.not_written", str(folder), reason=error.strerror or str(error)) from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet, and leave none where that fails. A link is there, wherever it leads."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise SigningKeyError("signing.exists", str(path)) from error
    except OSError as error:
        raise ResourceError("signing.not_written", str(path), reason=error.strerror or str(error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise ResourceError("signing.not_written", str(path), reason=error.strerror or str(error)) from error
