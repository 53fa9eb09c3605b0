"""Where and how the service may listen."""

from collections.abc import Sequence
from pathlib import Path

from andon.models.signing.server_tls import TlsFiles
from andon.models.types.errors import OptionError


def check_binding(*, is_loopback: bool, has_credentials: bool, has_tls: bool) -> Sequence[str]:
    """Check that nobody is let in whom nobody knows.

    Returns
    -------
    list of str
        Message codes of what should be said when the service starts.

    Raises
    ------
    OptionError
        Others can reach the address, and there is neither a key nor a user.
    """
    if is_loopback:
        return []
    if not has_credentials:
        raise OptionError("security.public_without_key", "--host")
    return [] if has_tls else ["security.clear_text"]


def tls_files(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    """Read the two options; None where neither is given.

    Raises
    ------
    OptionError
        One of them is missing.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise OptionError("security.tls_half", "--tls-key" if key is None else "--tls-cert")
    return TlsFiles(certificate, key)
