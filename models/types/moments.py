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
