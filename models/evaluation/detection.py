"""How well rows of a process are told normal from anomalous."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """Figures over all rows, pooled.

    Parameters
    ----------
    f1
        Of the anomalous rows; None where none is anomalous and none was said to be.
    far_percent
        False-alarm rate: normal rows said to be anomalous, of the normal ones; None where there are none.
    mar_percent
        Missed-alarm rate: anomalous rows said to be normal, of the anomalous ones; None where there are none.
    """

    f1: float | None
    far_percent: float | None
    mar_percent: float | None
    n_normal: int
    n_anomalous: int


def detection_figures(truth: ArrayLike, said: ArrayLike) -> DetectionFigures:
    """Compare what was said of rows with the truth, as the Skoltech Anomaly Benchmark does.

    Parameters
    ----------
    truth, said
        ``[n]``, bool: anomalous or not. Pool files by joining them.

    Examples
    --------
    >>> figures = detection_figures([False, False, True, True], [False, True, True, True])
    >>> figures.f1, figures.far_percent, figures.mar_percent
    (0.8, 50.0, 0.0)
    """
    true, positive = np.asarray(truth, np.bool_), np.asarray(said, np.bool_)
    found, false = int((true & positive).sum()), int((~true & positive).sum())
    n_anomalous = int(true.sum())
    n_normal = len(true) - n_anomalous
    return DetectionFigures(
        f1=_share(2 * found, n_anomalous + found + false),
        far_percent=_share(100 * false, n_normal),
        mar_percent=_share(100 * (n_anomalous - found), n_anomalous),
        n_normal=n_normal,
        n_anomalous=n_anomalous,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
