"""Timestamps of Arrow as clocks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from andon.models.types.vibration import Samples

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_since(start_us: int, timestamps: pa.Array) -> Samples:
    """Return how long after ``start_us``, in microseconds since 1970, each was; not a number where one is missing.

    The difference is taken in whole nanoseconds: as seconds since 1970 a float64 would resolve no more than 0.2 us.
    """
    elapsed = timestamps.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy(zero_copy_only=False) - start_us * 1000
    return np.asarray(elapsed, dtype=np.float64) / 1e9


def to_microseconds(time: datetime) -> int:
    """Return microseconds since 1970.

    >>> to_microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (time - EPOCH) // timedelta(microseconds=1)
