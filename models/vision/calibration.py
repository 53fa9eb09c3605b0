"""Set the threshold so that no more good parts are rejected than the user allows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from andon.models.evaluation.bounds import CONFIDENCE, trials_without_event, upper_bound

HELD_OUT = "held-out"
CROSS_FIT = "cross-fit"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold, and what it can be claimed to do.

    Parameters
    ----------
    threshold
        A part is NG where its score is above it.
    overkill_budget
        The share of good parts that the user allows to be rejected.
    overkill_claim
        The share that is not exceeded, with ``confidence``: an exact upper bound.
    n_good
        Good parts it was set on, none of them in the bank that scored them.
    n_rejected
        Those of them above the threshold.
    more_good_needed
        How many more good parts would support the budget; 0 where the claim meets it.
    method
        ``"held-out"``: the bound is exact. ``"cross-fit"``: each part was scored by a bank fitted without it on fewer
        images than the final one, so the bound is approximate, on the safe side.
    threshold_without_top
        The threshold that the same rule gives without the highest-scoring good part: one hidden defect would show here.
    highest
        The ten highest-scoring good parts, name and score, for a person to confirm that they are good.
    """

    threshold: float
    overkill_budget: float
    overkill_claim: float
    confidence: float
    n_good: int
    n_rejected: int
    more_good_needed: int
    method: str
    threshold_without_top: float
    highest: tuple[tuple[str, float], ...]


def calibrate(
    scores: Sequence[float], names: Sequence[str], budget: float, method: str, confidence: float = CONFIDENCE
) -> OperatingPoint:
    """Choose the lowest threshold whose overkill is at most ``budget`` with ``confidence``.

    With the k-th highest of n good scores as threshold, the share of good parts above it is distributed as
    Beta(k, n - k + 1) whatever the scores' distribution (Wilks, Annals of Mathematical Statistics 12 (1941) 91-96): its
    upper quantile is the Clopper-Pearson bound for the k - 1 parts rejected. Where n is too small for the budget, the
    highest score is the threshold and its bound the best claim that can be made.

    Parameters
    ----------
    scores
        Raw scores of good parts that are not in the bank; at least two.
    names
        Their names, in the same order.
    """
    descending = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    rank = _rejections_allowed(len(descending), budget, confidence)
    threshold = float(descending[rank])
    rejected = int((descending > threshold).sum())
    claim = upper_bound(rejected, len(descending), confidence)
    without_top = descending[1:]
    top = sorted(zip(names, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))[:10]
    return OperatingPoint(
        threshold=threshold,
        overkill_budget=budget,
        overkill_claim=claim,
        confidence=confidence,
        n_good=len(descending),
        n_rejected=rejected,
        more_good_needed=0 if claim <= budget else trials_without_event(budget, confidence) - len(descending),
        method=method,
        threshold_without_top=float(without_top[_rejections_allowed(len(without_top), budget, confidence)]),
        highest=tuple((name, float(value)) for name, value in top),
    )


def _rejections_allowed(n_good: int, budget: float, confidence: float) -> int:
    allowed = 0
    while allowed + 1 < n_good and upper_bound(allowed + 1, n_good, confidence) <= budget:
        allowed += 1
    return allowed
