"""Timestamps of Arrow as clocks."""

import numpy as np
import pyarrow as pa

from andon.models.types.vibration import Samples


def seconds_since(start_us: int, timestamps: pa.Array) -> Samples:
    """Return how long after ``start_us``, in microseconds since 1970, each was; not a number where one is missing.

    The difference is taken in whole nanoseconds: as seconds since 1970 a float64 would resolve no more than 0.2 us.
    """
    elapsed = timestamps.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy(zero_copy_only=False) - start_us * 1000
    return np.asarray(elapsed, dtype=np.float64) / 1e9
