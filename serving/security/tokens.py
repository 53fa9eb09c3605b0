"""Random secrets, and keys that are made of them.

A key reads ``andon_<identifier>_<secret>``: the identifier finds its row, the secret has 256 random bits. What is stored is the SHA-256 of
the secret. A slow hash, as for passwords, would protect nothing more: 256 random bits cannot be guessed, and it would cost every request.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

SECRET_BYTES = 32
_KEY = re.compile(r"andon_([0-9a-f]{32})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key taken apart."""

    id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The key as it is handed out."""
        return f"andon_{UUID(self.id).hex}_{self.secret}"


def new_secret() -> str:
    """Make 256 random bits, as 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """SHA-256 of a secret."""
    return sha256(secret.encode()).digest()


def matches(secret: str, digest: bytes) -> bool:
    """Compare a secret with the digest that is stored, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(digest_of(secret), digest)


def parse_key(text: str) -> ApiKey | None:
    """Take a key apart; None where it is none.

    >>> parse_key(f"andon_018f0000000070008000000000000000_{'A' * 43}").id
    '018f0000-0000-7000-8000-000000000000'
    """
    found = _KEY.fullmatch(text)
    return found and ApiKey(str(UUID(found[1])), found[2])
