"""Asking a server over HTTP, with every way it can fail told apart."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import msgspec

from andon.models.types.errors import NotFoundError, OptionError, ResourceError

MAX_DOCUMENT_BYTES = 1 << 20
TIMEOUT_S = 10.0
"""Without a byte."""
DEADLINE_S = 900.0
"""For a whole answer, however slowly it drips."""

_ONE_REQUEST = httpx.Limits(max_keepalive_connections=0)
"""A connection ends with its answer: sources are asked now and then, and nobody has to close them."""

_DENIED = frozenset({401, 403})
_NOT_FOUND = 404


class Server:
    """A server that documents and files are fetched from. Redirects are refused: nobody configured where they lead."""

    def __init__(self, client: httpx.Client, deadline_s: float = DEADLINE_S) -> None:
        self._client = client
        self._deadline_s = deadline_s

    @property
    def address(self) -> str:
        """Where it is, without what lets one in."""
        url = self._client.base_url
        return f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "") + url.path.rstrip("/")

    def document(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Fetch JSON.

        Raises
        ------
        NotFoundError
            The server knows nothing there.
        OptionError
            It does not let this caller in.
        ResourceError
            It does not answer, or not as it should.
        """
        body = self.fetch(path, MAX_DOCUMENT_BYTES, query)
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._failed(str(error)) from error

    def fetch(self, path: str, limit_bytes: int, query: Mapping[str, str] | None = None) -> bytes:
        """Fetch at most ``limit_bytes``. Raises as ``document``."""
        until = monotonic() + self._deadline_s
        body = bytearray()
        try:
            with self._client.stream("GET", path, params=query, follow_redirects=False) as answer:
                self._check_status(answer.status_code, path)
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > limit_bytes or monotonic() > until:
                        raise self._failed(f"more than {limit_bytes} B or {self._deadline_s:.0f} s")
        except httpx.HTTPError as error:
            raise self._failed(str(error) or type(error).__name__) from error
        return bytes(body)

    def _check_status(self, status: int, path: str) -> None:
        if status in _DENIED:
            raise OptionError("update.denied", self.address, found=f"HTTP {status}")
        if status == _NOT_FOUND:
            raise NotFoundError("update.unknown", f"{self.address}{path}")
        if not httpx.codes.is_success(status):
            raise self._failed(f"HTTP {status}")

    def _failed(self, reason: str) -> ResourceError:
        return ResourceError("update.store", self.address, reason=reason)


def open_client(address: str, headers: Mapping[str, str], ca: Path | None = None) -> httpx.Client:
    """Open connections to a server: proxies and passwords of the environment are left alone.

    Parameters
    ----------
    ca
        PEM file of the certificates that are trusted instead of the usual ones.

    Raises
    ------
    OptionError
        It is no address, or the certificates cannot be read.
    """
    try:
        verify = True if ca is None else ssl.create_default_context(cafile=str(ca))
        return httpx.Client(
            base_url=address,
            headers=dict(headers),
            verify=verify,
            timeout=TIMEOUT_S,
            limits=_ONE_REQUEST,
            trust_env=False,
        )
    except (OSError, ValueError, httpx.InvalidURL) as error:
        raise OptionError("update.address", address, reason=str(error)) from error
