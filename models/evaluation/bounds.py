"""Exact bounds on a proportion."""

import math
from typing import NamedTuple

from scipy.special import betaincinv

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A closed interval."""

    low: float
    high: float


def proportion_interval(events: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Two-sided exact interval of a proportion: Clopper and Pearson, Biometrika 26 (1934) 404-413.

    >>> low, high = proportion_interval(0, 25)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.137)
    """
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else float(betaincinv(events, trials - events + 1, tail))
    return Interval(low, upper_bound(events, trials, 1 - tail))


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """One-sided exact upper bound of a proportion (Clopper-Pearson); 1 where nothing was tried.

    >>> round(upper_bound(0, 300), 4)
    0.0099
    """
    if events >= trials:
        return 1.0
    return float(betaincinv(events + 1, trials - events, confidence))


def trials_without_event(limit: float, confidence: float = CONFIDENCE) -> int:
    """How many trials without an event it takes to bound a proportion by ``limit``.

    >>> trials_without_event(0.01)
    299
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - limit))
