"""Where the service listens, and with which certificate."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from andon.models.signing.server_tls import TlsFiles, tls_context
from andon.models.types.errors import OptionError
from andon.serving.security.listening import check_binding, tls_files


@pytest.mark.parametrize(
    ("is_loopback", "has_credentials", "has_tls", "said"),
    [
        (True, False, False, []),
        (True, True, False, []),
        (False, True, True, []),
        (False, True, False, ["security.clear_text"]),
    ],
)
def test_where_the_service_may_listen(is_loopback: bool, has_credentials: bool, has_tls: bool, said: list[str]) -> None:
    found = check_binding(is_loopback=is_loopback, has_credentials=has_credentials, has_tls=has_tls)
    assert list(found) == said


@pytest.mark.parametrize("has_tls", [False, True])
def test_it_does_not_listen_to_others_whom_it_cannot_know(has_tls: bool) -> None:
    with pytest.raises(OptionError, match=r"security\.public_without_key"):
        check_binding(is_loopback=False, has_credentials=False, has_tls=has_tls)


def write_pair(folder: Path, name: str = "server", password: bytes | None = None) -> TlsFiles:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    files = TlsFiles(folder / f"{name}.crt", folder / f"{name}.key")
    protection: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    return files


def test_both_files_or_neither(tmp_path: Path) -> None:
    assert tls_files(None, None) is None
    assert tls_files(tmp_path / "a", tmp_path / "b") == TlsFiles(tmp_path / "a", tmp_path / "b")
    for given, missing in (((tmp_path, None), "--tls-key"), ((None, tmp_path), "--tls-cert")):
        with pytest.raises(OptionError, match=r"security\.tls_half") as refused:
            tls_files(*given)
        assert refused.value.subject == missing


def handshake(context: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """Let a client in, and say which version was spoken."""
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def serve() -> None:
            try:
                with context.wrap_socket(ours, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                ours.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with client.wrap_socket(theirs, server_hostname="localhost") as wrapped:
                version = wrapped.version()
                wrapped.send(b"x")
                return version
        finally:
            thread.join()


def test_a_client_that_trusts_the_certificate_comes_in(tmp_path: Path) -> None:
    files = write_pair(tmp_path)
    client = ssl.create_default_context(cafile=str(files.certificate))
    assert handshake(tls_context(files), client) in ("TLSv1.2", "TLSv1.3")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    files = write_pair(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(files.certificate)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    context = tls_context(files)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(context, old)


def refusal(files: TlsFiles) -> tuple[str, str]:
    with pytest.raises(OptionError) as refused:
        tls_context(files)
    return refused.value.code, refused.value.subject


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    files = write_pair(tmp_path)
    path: Path = getattr(files, missing)
    path.unlink()
    assert refusal(files) == ("security.tls_file", str(path))


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    mixed = TlsFiles(write_pair(tmp_path).certificate, write_pair(tmp_path, "other").key)
    assert refusal(mixed) == ("security.tls_mismatch", str(mixed.key))


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    files = write_pair(tmp_path, password=b"secret")
    assert refusal(files) == ("security.tls_encrypted", str(files.key))


@pytest.mark.parametrize(
    "contents", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_neither_certificate_nor_key_is_refused(tmp_path: Path, contents: bytes) -> None:
    files = write_pair(tmp_path)
    whole = files.key.read_bytes()
    files.key.write_bytes(contents)
    assert refusal(files) == ("security.tls_key", str(files.key))
    files.key.write_bytes(whole)
    files.certificate.write_bytes(contents)
    assert refusal(files) == ("security.tls_certificate", str(files.certificate))


def test_the_two_files_swapped_are_refused(tmp_path: Path) -> None:
    files = write_pair(tmp_path)
    assert refusal(TlsFiles(files.key, files.certificate))[0] == "security.tls_certificate"
