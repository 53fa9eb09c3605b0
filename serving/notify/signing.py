"""Signatures of webhooks after the Standard Webhooks specification (standardwebhooks.com), symmetric scheme ``v1``."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as the specification asks."""


def secret_bytes(secret: str) -> bytes | None:
    r"""Decode a secret as the specification writes it: ``whsec_`` and base64 of 24 to 64 bytes. None where it is none.

    >>> secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")[:2]
    b'1\xf2'
    """
    if not secret.startswith(PREFIX):
        return None
    try:
        decoded = b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        return None
    return decoded if SHORTEST <= len(decoded) <= LONGEST else None


def signed_headers(secrets: Sequence[bytes], event_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Make the three headers of a webhook, with one signature for each secret: receivers accept any that they know."""
    timestamp = str(int(now.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + body
    signatures = [b64encode(hmac.digest(secret, content, sha256)).decode() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
