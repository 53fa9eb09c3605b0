"""From a snapshot's samples to the rows that a health model judges."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from andon.models.health.operating import Row
from andon.models.health.settings import FeatureContract
from andon.models.types.vibration import Unit
from andon.models.vibration.indicators import window_indicators
from andon.models.vibration.units import Quantity, quantity_of, to_working_unit

RATE_TOLERANCE = 0.001
"""Rates that differ by less are one rate: quartz clocks are a hundred times better, and labels are rounded."""

MAX_RATIO = 1000
"""Largest number in the fraction that brings one rate to another."""

DEFAULT_FEATURES = (
    "rms_m_s2",
    "crest",
    "kurtosis",
    "impulse_factor",
    "ics2",
    "band_500_2000_hz_m_s2",
    "band_2000_5000_hz_m_s2",
    "band_5000_10000_hz_m_s2",
)
"""Level, impulsiveness and where in frequency the level sits: what wear, lack of lubrication, damage and looseness change. All are
positive and skewed, so their logarithms are compared."""


def can_measure(contract: FeatureContract, rate_hz: float, n_samples: int) -> bool:
    """Whether a snapshot is fast and long enough for one row."""
    ratio = _ratio(rate_hz, contract)
    return ratio <= 1 and n_samples * ratio >= (contract.window or 1)


def feature_rows(
    samples: NDArray[np.float64], rate_hz: float, unit: Unit, rpm: float | None, contract: FeatureContract
) -> list[list[Row]]:
    """Measure snapshots: one row for each window that fits into a snapshot.

    Parameters
    ----------
    samples
        ``[b, n]``, in ``unit``. A higher rate than the contract's is brought down to it first: indicators of one rate say nothing
        of another.

    Returns
    -------
    list of list
        ``b`` lists of rows, each a mapping from the contract's names to values; empty lists where ``can_measure`` is false, or
        where the samples are no acceleration: the indicators are those of acceleration.
    """
    if quantity_of(unit) is not Quantity.ACCELERATION or not can_measure(contract, rate_hz, samples.shape[1]):
        return [[] for _ in samples]
    at_rate = _resampled(to_working_unit(samples, unit), _ratio(rate_hz, contract))
    window = contract.window or at_rate.shape[1]
    n_windows = at_rate.shape[1] // window
    windows = at_rate[:, : n_windows * window].reshape(len(samples), n_windows, window).astype(np.float32)
    measured = window_indicators(windows, contract.rate_hz or rate_hz, rpm)
    chosen = measured.values[..., [measured.names.index(name) for name in contract.names]]
    return [[_row(contract.names, values) for values in snapshot] for snapshot in chosen.tolist()]


def _row(names: Iterable[str], values: Iterable[float]) -> Row:
    return dict(zip(names, values, strict=True))


def _ratio(rate_hz: float, contract: FeatureContract) -> Fraction:
    """How many samples at the contract's rate stand for one at ``rate_hz``."""
    ratio = (contract.rate_hz or rate_hz) / rate_hz
    return Fraction(1) if abs(ratio - 1) <= RATE_TOLERANCE else Fraction(ratio).limit_denominator(MAX_RATIO)


def _resampled(samples: NDArray[np.float64], ratio: Fraction) -> NDArray[np.float64]:
    if ratio == 1:
        return samples
    resampled: NDArray[np.float64] = resample_poly(samples, ratio.numerator, ratio.denominator, axis=1)
    return resampled
