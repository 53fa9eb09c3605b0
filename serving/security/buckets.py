"""Limits on how often: token buckets, one for each who asks."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: ``burst`` times at once, and ``per_s`` times a second in the long run."""

    per_s: float
    burst: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    time_s: float


class Buckets:
    """A token bucket for each key; a clock is passed in. Used from one thread.

    Parameters
    ----------
    rate
        Of each bucket.
    capacity
        How many are remembered: beyond that the one longest out of use is forgotten, and starts full again.
    """

    def __init__(self, rate: Rate, capacity: int) -> None:
        self._rate = rate
        self._capacity = capacity
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, now_s: float) -> float:
        """Take a token.

        Returns
        -------
        float
            0 where one was there; else the seconds until there will be one, and nothing is taken.
        """
        bucket = self._filled(key, now_s)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self._rate.per_s

    def forget(self, key: Hashable) -> None:
        """Fill a bucket up."""
        self._buckets.pop(key, None)

    def _filled(self, key: Hashable, now_s: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            return self._new(key, now_s)
        self._buckets.move_to_end(key)
        passed_s = max(0.0, now_s - bucket.time_s)
        bucket.tokens = min(self._rate.burst, bucket.tokens + passed_s * self._rate.per_s)
        bucket.time_s = now_s
        return bucket

    def _new(self, key: Hashable, now_s: float) -> _Bucket:
        if len(self._buckets) == self._capacity:
            self._buckets.popitem(last=False)
        bucket = self._buckets[key] = _Bucket(self._rate.burst, now_s)
        return bucket
