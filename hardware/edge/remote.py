"""The service as a box asks it: with a key, over TLS, and with two kinds of errors: away, or refused."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from andon.datasets.store.replication import Batch, Digest
from andon.models.ledger.chain import Head
from andon.models.types.errors import InputError, OptionError, ResourceError

_LARGEST_PORT = 65_535
KEY_VARIABLE = "ANDON_EDGE_KEY"
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is no JSON, or no JSON of the kind that is read."""

Answer = TypeVar("Answer", bound=msgspec.Struct)


class ServiceAwayError(ResourceError):
    """The service cannot be reached, or has no time now.

    Parameters
    ----------
    wait_s
        How long it asks to be left alone.
    """

    def __init__(self, subject: str, reason: str, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__("upload.away", subject, reason=reason)


class UploadRefusedError(InputError):
    """The service does not take what was sent: somebody has to look at it. It is tried again nevertheless."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where the service is.

    Parameters
    ----------
    url
        ``https://HOST[:PORT]``; ``http://`` only where that is this machine, as the key goes with every request.
    key
        The API key, which is shown nowhere.
    ca
        Certificates that are trusted instead of the system's.
    """

    url: str
    key: str = field(repr=False)
    ca: Path | None = None
    timeout_s: float = 30.0


def load_key(file: Path | None, environment: Mapping[str, str]) -> str:
    """Read the API key from its file, or where none is given from the variable ``ANDON_EDGE_KEY``.

    Raises
    ------
    OptionError
        There is none.
    """
    if file is None:
        return _checked_key(environment.get(KEY_VARIABLE, ""), KEY_VARIABLE)
    try:
        return _checked_key(file.read_text(encoding="ascii"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError("upload.no_key", str(file), reason=type(error).__name__) from error


class Service:
    """What the service is asked. Used by one thread at a time.

    Raises
    ------
    OptionError
        The address cannot be used, or there are no certificates at ``ca``.
    """

    def __init__(self, address: ServiceAddress) -> None:
        self._url = _checked_url(address.url)
        self._client = httpx.Client(
            base_url=f"{self._url}/api/v1/edge",
            headers={"Authorization": f"Bearer {address.key}", "User-Agent": "Andon edge"},
            verify=_trusting(address.ca),
            timeout=address.timeout_s,
            # Neither a password in .netrc nor a redirect sends the key or the records where nobody configured it.
            trust_env=False,
            follow_redirects=False,
        )

    def head(self, origin: str) -> Head:
        """Ask where a chain ends there. Raises as ``take`` does."""
        return self._as_head(self._ask("GET", f"/{quote(origin, safe='')}/head"))

    def missing(self, digests: Sequence[str]) -> Sequence[str]:
        """Ask which pictures and waveforms are not there. Raises as ``take`` does."""
        answer = self._ask("POST", "/images/missing", msgspec.json.encode({"digests": digests}))
        return self._read(answer, _Missing).missing

    def put_file(self, digest: str, contents: bytes) -> None:
        """Send a picture or a waveform. Raises as ``take`` does."""
        self._ask("PUT", f"/images/{digest}", contents)

    def take(self, origin: str, batch: Batch) -> Head:
        """Send entries, and return where the chain ends there now.

        Raises
        ------
        ServiceAwayError
            The service cannot be reached or is busy.
        UploadRefusedError
            It does not take them, or is no such service.
        """
        return self._as_head(self._ask("POST", f"/{quote(origin, safe='')}/entries", msgspec.json.encode(batch)))

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        try:
            answer = self._client.request(method, path, content=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # InvalidURL: where a redirect that is not followed points
            raise ServiceAwayError(self._url, str(error) or type(error).__name__) from error
        if answer.status_code >= 500 or answer.status_code in _BUSY:
            raise ServiceAwayError(self._url, f"HTTP {answer.status_code}", _wait_s(answer))
        if not answer.is_success:
            raise _refusal(self._url, answer)
        return answer.content

    def _as_head(self, answer: bytes) -> Head:
        said = self._read(answer, _Head)
        return Head(said.origin, said.seq, said.hash)

    def _read(self, answer: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(answer, type=kind)
        except _UNREADABLE as error:
            raise UploadRefusedError("upload.answer", self._url, reason=str(error)) from error


class _Head(msgspec.Struct):
    origin: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    hash: Digest


class _Missing(msgspec.Struct):
    missing: list[Digest]


class _Problem(msgspec.Struct):
    """What is read of an answer that refuses (RFC 9457)."""

    code: str = "-"
    detail: str = ""


def _refusal(url: str, answer: httpx.Response) -> UploadRefusedError:
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except _UNREADABLE:
        problem = _Problem()
    status, reason = answer.status_code, problem.detail or answer.reason_phrase
    return UploadRefusedError("upload.refused", url, status=status, found=problem.code, reason=reason)


def _wait_s(answer: httpx.Response) -> float:
    """Read ``Retry-After`` in seconds (RFC 9110, 10.2.3), as Andon's service gives it; 0 where it is a date or not there."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() and asked.isascii() else 0.0


def _checked_key(text: str, subject: str) -> str:
    key = text.strip()
    if not key:
        raise OptionError("upload.no_key", subject, reason="nothing is there")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise OptionError("upload.no_key", subject, reason="more than one word, or signs that no key has")
    return key


def _checked_url(text: str) -> str:
    try:
        url = httpx.URL(text)
        # As it is looked up: a name with an empty or overlong part is found out here, not with every request.
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise OptionError("upload.address", "url", reason=str(error)) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise OptionError("upload.address", url.host or "url", reason="more or less than scheme, host and port")
    if (url.port or 0) > _LARGEST_PORT:
        raise OptionError("upload.address", text, reason="port")
    if url.scheme == "http" and not _is_this_machine(url.host):
        raise OptionError("upload.address", text, reason="the key would go unencrypted")
    return text.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise OptionError("upload.ca", str(ca), reason=error.strerror or str(error)) from error
