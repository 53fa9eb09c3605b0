"""How far features are from a baseline, and which of them make up the distance."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Distances(NamedTuple):
    """Distance of each row from its baseline, ``[n]``, and the parts of its square by feature, ``[n, d]``."""

    score: Floats
    contributions: Floats


Score = Callable[[Floats, Floats, Floats], Distances]
"""What computes distances: ``distances`` itself, or a graph that does the same."""


def distances(features: Floats, mean: Floats, whitener: Floats) -> Distances:
    """Measure the Mahalanobis distance of each row.

    The contribution of feature j is ``(x - mean)_j (inverse covariance (x - mean))_j``: the partial decomposition of
    Alcala and Qin, Automatica 45 (2009) 1593-1600. The contributions of a row add up to its squared distance exactly;
    one is negative where a feature, given the others, lies on the near side of what they lead one to expect.

    Parameters
    ----------
    features
        ``[n, d]``, transformed as the baseline's were.
    mean
        ``[d]``.
    whitener
        ``[d, d]``, W with W W^T the inverse of the covariance. A column and row of zeros leave a feature out.

    Examples
    --------
    >>> import numpy as np
    >>> distances(np.array([[4.0, 4.0]]), np.zeros(2), np.diag([1.0, 0.5])).score.round(3)
    array([4.472])
    """
    centred = features - mean
    whitened = centred @ whitener
    return Distances(np.sqrt(np.square(whitened).sum(axis=1)), centred * (whitened @ whitener.T))
