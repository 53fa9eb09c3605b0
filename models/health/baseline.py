"""What is normal for a machine in one operating state."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.signal import lfilter

from andon.models.health.mahalanobis import Floats, Score
from andon.models.health.settings import FeatureContract, HealthSettings, Transform
from andon.models.health.shrinkage import whitener

BLOCKS = 4
"""Parts of the rows learned from. Each is scored by the three others; with 400 rows they are longer than what wanders."""

ROUNDING = 1e-9
"""Share of a value below which a difference is one of rounding."""

MAD_OF_NORMAL = 0.6745
"""Median absolute deviation of a standard normal distribution."""


@dataclass(frozen=True, eq=False)  # no slots: what derives from the scores is kept once computed
class Baseline:
    """What is normal for a machine in one operating state.

    Parameters
    ----------
    mean
        ``[d]``, level of the transformed features at the end of the rows learned from.
    whitener
        ``[d, d]``, from differences to that level to standard deviations without correlation.
    scores
        ``[m]``, of rows learned from, each by what the others say: they calibrate the threshold and the CUSUM.
    drift_limits
        ``[d]``, how far each feature's level may move from ``mean`` in the long run.
    n_rows
        Rows it was learned from.
    """

    mean: Floats
    whitener: Floats
    scores: Floats
    drift_limits: Floats
    n_rows: int

    @cached_property
    def typical(self) -> float:
        """The median of ``scores``."""
        return float(np.median(self.scores))

    @cached_property
    def spread(self) -> float:
        """Standard deviation of ``scores``, robustly; 0 where most of them are the same, as those of dead sensors are."""
        return float(np.median(np.abs(self.scores - self.typical)) / MAD_OF_NORMAL)

    def standardised(self, score: float) -> float:
        """Express a score in robust standard deviations above the typical one; ``spread`` must be above 0."""
        return (score - self.typical) / self.spread


def learn_baseline(features: Floats, contract: FeatureContract, settings: HealthSettings, score: Score) -> Baseline:
    """Learn a baseline from rows of a healthy machine in one operating state.

    The rows are smoothed and compared with a level that follows them, just as later ones will be. A covariance scores its
    own rows too low, so each of four consecutive blocks is scored by the whitener of the other three.

    Parameters
    ----------
    features
        ``[n, d]``, transformed, in the order of time, finite.
    """
    smoothed = smooth(features, settings.smoothing)
    levels = _levels(smoothed, settings.tracking)
    deviations = _without_rounding(smoothed - levels[:-1], smoothed)
    blocks = np.array_split(np.arange(len(features)), BLOCKS)
    origin = np.zeros(features.shape[1])
    scores = [
        score(deviations[block], origin, whitener(np.delete(deviations, block, axis=0))).score for block in blocks
    ]
    return Baseline(
        mean=levels[-1],
        whitener=whitener(deviations),
        scores=np.concatenate(scores)[-settings.commissioning_rows :],
        drift_limits=_drift_limits(features, contract, settings),
        n_rows=len(features),
    )


def smooth(features: Floats, weight: float) -> Floats:
    """Average exponentially, ``s <- s + weight (x - s)``, from the first row on: ``[n, d]`` to ``[n, d]``."""
    start = (1 - weight) * features[:1]
    return np.asarray(lfilter([weight], [1, weight - 1], features, axis=0, zi=start)[0])


def _levels(smoothed: Floats, weight: float) -> Floats:
    """Return the level before each row and after the last, from the mean of as many rows as it remembers."""
    remembered = min(len(smoothed), round(1 / weight)) if weight else len(smoothed)
    start = smoothed[:remembered].mean(axis=0)
    return np.vstack([start, lfilter([weight], [1, weight - 1], smoothed, axis=0, zi=(1 - weight) * start[None])[0]])


def _without_rounding(deviations: Floats, values: Floats) -> Floats:
    """Set to zero what the averages of a value that never changes differ from it."""
    return np.where(np.abs(deviations) > ROUNDING * np.abs(values), deviations, 0.0)


def _drift_limits(features: Floats, contract: FeatureContract, settings: HealthSettings) -> Floats:
    level, spread = np.abs(features.mean(axis=0)), features.std(axis=0)
    is_log = np.array([transform is Transform.LOG for transform in contract.transforms])
    share = np.where(is_log, np.log1p(settings.drift_share), settings.drift_share * level)
    return np.asarray(np.maximum(share, settings.drift_deviations * spread))
