"""A signed webhook: the alert as JSON, for a maintenance system."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import requests

from andon.serving.notify.channels import Failed, Message, Outcome, Refused, Sent
from andon.serving.notify.signing import signed_headers

LONGEST_WAIT_S = 3600.0
"""A receiver may ask to be left alone for longer; it is tried nevertheless."""
GONE, TOO_MANY = 410, 429
_BUSY = frozenset({TOO_MANY, 502, 503, 504})
"""Answers that are about the receiver and not about what it got."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A webhook.

    Parameters
    ----------
    url
        May hold a secret, and so is never shown.
    secrets
        Of which each signs: while one takes another's place, both do.
    ca
        Certificates that are trusted instead of the system's.
    """

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    ca: Path | None
    timeout_s: float


class Webhook:
    """Posts messages. Redirects are refused: they could lead where nobody configured it to go."""

    in_order = True

    def __init__(self, settings: WebhookSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock

    def send(self, message: Message) -> Outcome:
        """Post a message."""
        now = self._clock()
        body = msgspec.json.encode(message.document)
        headers = {
            "content-type": "application/json",
            "user-agent": "Andon",
            **signed_headers(self._settings.secrets, message.id, now, body),
        }
        try:
            with self._post(headers, body) as response:
                return outcome_of(response.status_code, response.headers.get("retry-after", ""), now)
        except requests.RequestException as error:
            return Failed(why(error))

    def _post(self, headers: dict[str, str], body: bytes) -> requests.Response:
        settings = self._settings
        return requests.post(
            settings.url,
            data=body,
            headers=headers,
            timeout=settings.timeout_s,
            verify=str(settings.ca) if settings.ca else True,
            allow_redirects=False,
            # The answer's body is of no interest, and may be without end.
            stream=True,
            # Without this, a password for the host in the user's .netrc would be sent along.
            auth=lambda request: request,
        )


def outcome_of(status: int, retry_after: str, now: datetime) -> Outcome:
    """Say what an answer means: 2xx is taken, 410 is not to be tried again, all others are.

    >>> outcome_of(503, "120", datetime(2026, 1, 1, tzinfo=UTC))
    Failed(reason='HTTP 503', alone=False, retry_after_s=120.0)
    """
    if 200 <= status < 300:
        return Sent()
    if status == GONE:
        return Refused(f"HTTP {status}")
    reason = f"HTTP {status}, redirects are not followed" if 300 <= status < 400 else f"HTTP {status}"
    return Failed(reason, status not in _BUSY, wait_s(retry_after, now))


def wait_s(retry_after: str, now: datetime) -> float:
    """Read ``Retry-After``, RFC 9110 section 10.2.3: seconds or a date; 0 where it is neither.

    >>> wait_s("Thu, 01 Jan 2026 00:02:00 GMT", datetime(2026, 1, 1, tzinfo=UTC)), wait_s("soon", datetime.now(UTC))
    (120.0, 0.0)
    """
    if retry_after.isdecimal():
        return min(float(retry_after), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def why(error: requests.RequestException) -> str:
    """Say why a request failed, without its address, which may hold a secret."""
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"TLS: {root.verify_message}"
    if isinstance(root, ssl.SSLError):
        return f"TLS: {root.reason}"
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    return type(error).__name__


def _root(error: BaseException) -> BaseException:
    """Find what was raised first."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error
