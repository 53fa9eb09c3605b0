"""Moments as whole numbers of microseconds."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def unix_us(time: datetime) -> int:
    """Count whole microseconds since 1970, exactly; what ``datetime`` can tell apart.

    >>> unix_us(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (time - EPOCH) // _MICROSECOND


def utc(unix_us: int) -> datetime:
    """Return the moment that lies so many microseconds after 1970.

    >>> utc(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return EPOCH + timedelta(microseconds=unix_us)


def as_text(time: datetime) -> str:
    """Write a moment in UTC as RFC 3339 does, to the millisecond.

    >>> as_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000Z'
    """
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
