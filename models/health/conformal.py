"""A threshold that keeps its budget of alarms whatever the scores do."""

import numpy as np

from andon.models.health.mahalanobis import Floats


def conformal_threshold(scores: Floats, alpha: float) -> float | None:
    """Return the score that a new one exceeds with probability ``alpha`` at most, if it is exchangeable with ``scores``.

    It is the ``ceil((n + 1)(1 - alpha))``-th smallest; None where that is more than n, so that no score would be too high.

    Examples
    --------
    >>> conformal_threshold(np.arange(1.0, 100.0), 0.05)
    95.0
    """
    rank = max(int(np.ceil((len(scores) + 1) * (1 - alpha))), 1)
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else None


def adapt(alpha: float, alarmed: bool, target: float, gamma: float) -> float:
    """Move the level at which the threshold is taken: down after an alarm, slowly up otherwise.

    After T rows the share of alarms differs from ``target`` by at most ``(1 + gamma) / (gamma T)``, for any sequence of
    scores: Gibbs and Candes, Advances in Neural Information Processing Systems 34 (2021) 1660-1672, equation 2 and
    proposition 4.1.
    """
    return alpha + gamma * (target - alarmed)
