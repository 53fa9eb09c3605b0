"""The certificate of a server, and how it speaks TLS."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from andon.models.types.errors import OptionError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with those that lead to its root, and its private key."""

    certificate: Path
    key: Path


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Make the settings of a server that speaks TLS 1.2 or later, as RFC 9325 demands.

    Raises
    ------
    OptionError
        A file is missing or not what it should be, the key has a password, or the two do not belong together.
    """
    _check_pair(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError) as error:
        raise OptionError("security.tls_certificate", str(files.certificate), reason=str(error)) from error
    return context


def _check_pair(files: TlsFiles) -> None:
    certificate, key = _read(files.certificate), _read(files.key)
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise OptionError("security.tls_certificate", str(files.certificate), reason=str(error)) from error
    own = _public_part(key, files.key)
    if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != own:
        raise OptionError("security.tls_mismatch", str(files.key), certificate=str(files.certificate))


def _public_part(key: bytes, path: Path) -> bytes:
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:  # so the library says that there is a password
        raise OptionError("security.tls_encrypted", str(path)) from error
    except ValueError as error:
        raise OptionError("security.tls_key", str(path)) from error
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError("security.tls_file", str(path), reason=error.strerror or str(error)) from error
