"""How well scores rank bad parts above good ones."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import rankdata

from andon.models.evaluation.bounds import CONFIDENCE, Interval

BOOTSTRAP_ROUNDS = 2000


def auroc(good: ArrayLike, bad: ArrayLike) -> float:
    """Probability that a bad part scores above a good one, ties counting half (Mann and Whitney, 1947).

    >>> auroc([0.1, 0.2], [0.2, 0.9])
    0.875
    """
    low, high = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    ranks = rankdata(np.concatenate([low, high]))
    wins = ranks[len(low) :].sum() - len(high) * (len(high) + 1) / 2
    return float(wins / (len(low) * len(high)))


def auroc_interval(value: float, n_good: int, n_bad: int, confidence: float = CONFIDENCE) -> Interval:
    """Score interval of an AUROC; unlike Wald's it holds up to 1.

    Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5, with the variance of Hanley and McNeil (1982).

    >>> low, high = auroc_interval(1.0, 200, 200)
    >>> 0.98 < low < 1.0, high
    (True, 1.0)
    """
    z = float(ndtri(0.5 + confidence / 2))
    weight = (n_good + n_bad) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + weight * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(theta - value) - z * math.sqrt(max(theta * (1 - theta) * spread / (n_good * n_bad), 0.0))

    # At 0 and 1 the spread vanishes and is a second root, so the search starts just inside.
    inside = min(max(value, 1e-12), 1 - 1e-12)
    low = 0.0 if value <= 0 else float(brentq(excess, 0.0, inside))
    high = 1.0 if value >= 1 else float(brentq(excess, inside, 1.0))
    return Interval(low, high)


def average_precision(good: ArrayLike, bad: ArrayLike) -> float:
    """Area under the steps of precision over recall, tied scores taken together.

    >>> round(average_precision([0.1, 0.5], [0.4, 0.9]), 4)
    0.8333
    """
    scores = np.concatenate([np.asarray(good, np.float64), np.asarray(bad, np.float64)])
    is_bad = np.arange(len(scores)) >= len(np.asarray(good))
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(is_bad[order])[last_of_tie]
    taken = np.flatnonzero(last_of_tie) + 1
    recall_steps = np.diff(found, prepend=0) / is_bad.sum()
    return float((recall_steps * found / taken).sum())


def average_precision_interval(
    good: ArrayLike, bad: ArrayLike, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Percentile interval of the average precision over 2,000 bootstrap samples, good and bad drawn apart."""
    generator = np.random.default_rng(seed)
    low, high = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    draws = [average_precision(_resample(low, generator), _resample(high, generator)) for _ in range(BOOTSTRAP_ROUNDS)]
    tail = (1 - confidence) / 2
    return Interval(float(np.quantile(draws, tail)), float(np.quantile(draws, 1 - tail)))


def _resample(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    return values[generator.integers(0, len(values), len(values))]
