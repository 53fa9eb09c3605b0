"""Identifiers that sort by the time they were made."""

import os
import time
from datetime import datetime
from uuid import UUID

from andon.models.types.moments import unix_us

_VERSION, _VARIANT = 7, 0b10


def uuid7(unix_ns: int, noise: int) -> UUID:
    """Build a version 7 UUID.

    Parameters
    ----------
    unix_ns
        Nanoseconds since 1970. The milliseconds lead; the rest of the millisecond, in steps of 1/4096, follows.
    noise
        62 random bits.

    Notes
    -----
    RFC 9562, section 5.7, with ``rand_a`` used as in section 6.2, method 3.

    >>> str(uuid7(1645557742000 * 10**6, 0x18C4DC0C0C07398F))
    '017f22e2-79b0-7000-98c4-dc0c0c07398f'
    """
    milliseconds, rest = divmod(unix_ns, 10**6)
    fraction = (rest << 12) // 10**6
    return UUID(int=milliseconds << 80 | _VERSION << 76 | fraction << 64 | _VARIANT << 62 | noise)


def new_id() -> str:
    """Make an identifier of this moment: a UUIDv7 in its usual form."""
    return str(uuid7(time.time_ns(), int.from_bytes(os.urandom(8), "big") >> 2))


def first_id(time: datetime) -> str:
    """Return the lowest identifier of a millisecond: all that were made earlier sort before it.

    A moment before 1970 gives the first identifier that there is.

    >>> from datetime import UTC
    >>> first_id(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC))
    '017f22e2-79b0-7000-8000-000000000000'
    """
    return str(uuid7(max(unix_us(time) // 1000, 0) * 10**6, 0))


def safe_name(name: str) -> str:
    """Turn the name of a thing into the name of a file: letters, digits, ``-`` and ``_`` of any script stay.

    >>> safe_name("P-101/drive end")
    'P-101_drive_end'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
