"""Covariance of few rows, and what turns differences into standard deviations."""

import numpy as np
from scipy.linalg import solve_triangular

from andon.models.health.mahalanobis import Floats

LEAST_VARIANCE = 1e-6
"""Of any combination of features of unit variance, so that features that repeat one another have an inverse too."""


def ledoit_wolf(deviations: Floats) -> Floats:
    """Shrink the second moment of ``deviations`` about zero towards a multiple of the identity.

    The weight of the identity is that which minimises the expected squared error: Ledoit and Wolf, Journal of Multivariate
    Analysis 88 (2004) 365-411, section 3.2 and equation 14.

    Parameters
    ----------
    deviations
        ``[n, d]``, differences from the level, in comparable units.
    """
    n_rows, n_features = deviations.shape
    sample = deviations.T @ deviations / n_rows
    identity = np.trace(sample) / n_features * np.eye(n_features)
    dispersion = np.square(sample - identity).sum()
    mean_square_of_rows = np.square(np.square(deviations).sum(axis=1)).mean()
    error = min((mean_square_of_rows - np.square(sample).sum()) / n_rows, dispersion)
    weight = error / dispersion if dispersion > 0 else 0.0
    return np.asarray(weight * identity + (1 - weight) * sample)


def whitener(deviations: Floats) -> Floats:
    """Return W with W W^T the inverse covariance of ``deviations``, zero in row and column of a feature that never moved.

    Features are brought to unit variance first, so that what is shrunk does not depend on their units.

    Parameters
    ----------
    deviations
        ``[n, d]``, differences from the level.
    """
    scales = np.sqrt(np.square(deviations).mean(axis=0))
    moving = np.flatnonzero(scales > 0)
    inverse = np.zeros((deviations.shape[1], deviations.shape[1]))
    if moving.size:
        covariance = ledoit_wolf(deviations[:, moving] / scales[moving])
        root = np.linalg.cholesky(covariance + LEAST_VARIANCE * np.eye(moving.size))
        upper = solve_triangular(root, np.diag(1 / scales[moving]), lower=True).T
        inverse[np.ix_(moving, moving)] = upper
    return inverse
