"""Passwords after NIST SP 800-63B-4, section 3.1.1: long rather than odd, and none that is the first guess.

They are hashed with Argon2id (RFC 9106) at 19 MiB, two passes and one lane, the first of the settings in OWASP's Password Storage Cheat
Sheet that fit a machine which inspects parts meanwhile: a few hundredths of a second on one core.
"""

from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from andon.serving.engine.errors import RequestError

MIN_LENGTH, MAX_LENGTH = 12, 256
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
_RUNS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r5t6y7u8i9o0p")
_LONGEST_UNIT = 4
_PRODUCT = "andon"
_FILLERS = "0123456789!?.@#$*_- "


@dataclass(frozen=True, slots=True)
class HashCosts:
    """What one hash costs."""

    memory_kib: int = MEMORY_KIB
    passes: int = PASSES
    lanes: int = LANES


class Passwords:
    """Hashes and verifies passwords. Safe to use from several threads at once."""

    def __init__(self, costs: HashCosts) -> None:
        self._hasher = PasswordHasher(
            time_cost=costs.passes, memory_cost=costs.memory_kib, parallelism=costs.lanes, hash_len=32, salt_len=16
        )
        self._nobody = lru_cache(1)(lambda: self._hasher.hash(_PRODUCT))

    def hash(self, password: str) -> str:
        """Hash a password that was checked, with a salt of its own."""
        return self._hasher.hash(_normal(password))

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Say whether a password is the one that was hashed. Where there is no hash it is no, after the same time."""
        try:
            return self._hasher.verify(password_hash or self._nobody(), _normal(password)) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether a hash was made at another cost than is asked for now."""
        return self._hasher.check_needs_rehash(password_hash)


def checked_password(password: str, name: str) -> str:
    """Check a password that somebody chooses.

    Raises
    ------
    RequestError
        It is too short, too long, or among the first that anybody would try: repeated characters, a run of the keyboard, or the name of
        the user or the product with little around it.
    """
    if not MIN_LENGTH <= len(_normal(password)) <= MAX_LENGTH:
        raise RequestError(
            "security.password_length", "password", found=len(password), expected=MIN_LENGTH, limit=MAX_LENGTH
        )
    if is_expected(password, name):
        raise RequestError("security.password_expected", "password")
    return password


def is_expected(password: str, name: str) -> bool:
    """Say whether a password is among the first that anybody would try.

    >>> is_expected("abcabcabcabc", "anna"), is_expected("Anna1234567890!", "anna"), is_expected("correct horse battery", "anna")
    (True, True, False)
    """
    text = _normal(password).lower()
    return _is_repeated(text) or _is_run(text) or any(_is_around(text, word) for word in (_PRODUCT, "password", name))


def _normal(password: str) -> str:
    """The form of SP 800-63B-4, 3.1.1.2: the same characters are the same password on every keyboard."""
    return normalize("NFKC", password)


def _is_repeated(text: str) -> bool:
    return any(text == (text[:unit] * len(text))[: len(text)] for unit in range(1, _LONGEST_UNIT + 1))


def _is_run(text: str) -> bool:
    return any(text in way * len(text) for run in _RUNS for way in (run, run[::-1]))


def _is_around(text: str, word: str) -> bool:
    """Whether nothing but ``word``, digits and a few signs is in it."""
    return bool(word) and word in text and not text.replace(word, "").strip(_FILLERS)
