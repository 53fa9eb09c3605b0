"""The squared envelope spectrum of the prewhitened signal: where impacts repeat, whatever resonance carries them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from andon.models.vibration.integration import detrended, fading

MAX_BAND_HZ = 20_000.0
"""Above this an industrial accelerometer on its mount shows its own resonance (ISO 5348): such bins carry no fault."""

RELATIVE_FLOOR = 1e-6
"""Bins this far below the largest hold the rounding of 24-bit converters and of float32, not a signal."""

EDGE_SHARE = 0.01
"""Half of it and twice as much find as many faults beside a strong gear mesh, none of it finds hardly any
(``python -m tests.bench.study_diagnosis --mesh``)."""

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A squared envelope of mean 1, ``[..., m]``, the lines of whose spectrum are ``resolution_hz`` apart."""

    squared: Array
    resolution_hz: float


def record_envelope(samples: Array, rate_hz: float, edge_share: float = EDGE_SHARE) -> Envelope:
    """Squared envelope of the prewhitened record, whose ends fade before and are cut off after.

    A strong line that does not fit a whole number of times into the record leaks into all bins, with phases that follow from one
    another: whitened, they are an impact at the record's ends, as strong as all those bins together. A gear mesh of 30 times the
    noise's RMS is enough to hide every fault, and to make a healthy record impulsive.

    Parameters
    ----------
    samples
        ``[..., n]``, as for ``squared_envelope``; the longer the better: for windows of a few thousand samples, the ends matter less
        than the time.
    edge_share
        Share of the record that fades at each end.
    """
    n = samples.shape[-1]
    faded = detrended(samples) * fading(n, round(edge_share * n)).astype(samples.dtype)
    whole = squared_envelope(faded, rate_hz)
    cut = round(edge_share * whole.shape[-1])
    inner = whole[..., cut : whole.shape[-1] - cut]
    squared: Array = inner / np.maximum(inner.mean(axis=-1, keepdims=True), np.finfo(inner.dtype).tiny)
    return Envelope(squared, rate_hz / n * (whole.shape[-1] / inner.shape[-1]))


def squared_envelope(samples: Array, rate_hz: float) -> Array:
    """Squared envelope of prewhitened records.

    Parameters
    ----------
    samples
        ``[..., n]``, float32 or float64, finite, n at least 8, in any unit: gain and colour have no influence.
    rate_hz
        Samples a second.

    Returns
    -------
    numpy.ndarray
        ``[..., m]`` with mean 1 in the dtype of ``samples``, m at least ``min(n / 2, MAX_BAND_HZ n / rate_hz)``, over the
        same time as the record; zero for a constant record.

    Notes
    -----
    Cepstrum prewhitening sets the magnitude of every bin to one and keeps its phase: ``IDFT(X / |X|)`` (Borghesani,
    Pennacchi, Randall, Sawalhi, Ricci, MSSP 36, 2013). The squared envelope is that of the analytic signal, made at the lowest
    rate that holds the band up to ``MAX_BAND_HZ``: a shift in frequency leaves the envelope as it is.
    """
    bins = fft.rfft(samples, axis=-1)[..., 1:]
    n_band = int(min(bins.shape[-1], MAX_BAND_HZ * samples.shape[-1] / rate_hz))
    band = bins[..., : max(1, n_band)]
    weights = np.abs(band)
    floor = np.maximum(weights.max(axis=-1, keepdims=True) * RELATIVE_FLOOR, np.finfo(weights.dtype).tiny)
    # Below the floor less than one is left, and a constant record, whose bins are all zero, stays zero. In place: a product costs
    # much less than a quotient of complex numbers, and fresh arrays cost as much as the arithmetic.
    np.reciprocal(np.maximum(weights, floor, out=weights), out=weights)
    band *= weights
    analytic = fft.ifft(band, fft.next_fast_len(band.shape[-1]), axis=-1, overwrite_x=True)
    squared: Array = analytic.real**2
    squared += analytic.imag**2
    squared /= np.maximum(squared.mean(axis=-1, keepdims=True), np.finfo(squared.dtype).tiny)
    return squared


def modulation_spectrum(squared: Array) -> Array:
    """Spectrum of a squared envelope of mean 1.

    Parameters
    ----------
    squared
        ``[..., m]``.

    Returns
    -------
    numpy.ndarray
        ``[..., m // 2 + 1]``: amplitude of each modulation as a share of the mean, ``2 |DFT(e - 1)| / m``. Its lines are one over
        the record's duration apart.
    """
    spectrum: Array = np.abs(fft.rfft(squared - squared.dtype.type(1), axis=-1))
    spectrum *= 2 / squared.shape[-1]
    return spectrum


def ics2(squared: Array) -> Array:
    """Spread of a squared envelope over its mean: 1 for Gaussian noise, more for impacts.

    Parameters
    ----------
    squared
        ``[..., m]`` with mean 1.

    Returns
    -------
    numpy.ndarray
        ``[...]``.

    Notes
    -----
    Indicator of cyclostationarity of second order, taken over all cycles (Raad, Antoni and Sidahmed, MSSP 22, 2008).
    """
    spread: Array = squared.std(axis=-1)
    return spread
