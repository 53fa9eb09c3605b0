"""Spectra that carry their axis and unit, and how far their lines stand out of the background."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

from andon.models.types.vibration import Samples, Unit
from andon.models.vibration.integration import HANN_LINE_SHARE, PowerLines, Values, detrended

SEGMENT_S = 1.0
"""Welch's segments: 1 Hz between lines tells the shaft from its neighbours on most machines and averages seconds of record."""
BACKGROUND_HZ = 60.0
"""Width of the running median: several sidebands of a slow shaft fit in, so that they do not lift their own background."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Values over frequency.

    Parameters
    ----------
    frequencies_hz
        ``[m]``, equally spaced from 0.
    values
        ``[m]``, in ``unit``.
    """

    frequencies_hz: Values
    values: Values
    unit: str

    @property
    def resolution_hz(self) -> float:
        """Distance of two values."""
        return float(self.frequencies_hz[1] - self.frequencies_hz[0])


def power_density(samples: Samples, rate_hz: float, unit: Unit, segment_s: float = SEGMENT_S) -> Spectrum:
    """Estimate the one-sided power spectral density (Welch, IEEE Trans. Audio Electroacoustics 15 (1967) 70-73).

    Hann windows that overlap by half, the straight line of each segment removed. Its integral over frequency is the mean square.

    Parameters
    ----------
    samples
        ``[n]``, in ``unit``, at least two.
    segment_s
        Length of a segment; the whole record where that is shorter.
    """
    length = min(len(samples), round(segment_s * rate_hz))
    frequencies, density = signal.welch(samples, rate_hz, nperseg=length, detrend=detrended)
    return Spectrum(frequencies, density, f"({unit})2/Hz")


def amplitude_spectrum(lines: PowerLines, unit: Unit) -> Spectrum:
    """Peak amplitude over frequency: a tone that falls on a line reads its amplitude there, one between two lines up to 15 % less.

    Parameters
    ----------
    lines
        Of one record, in ``unit``.
    """
    return Spectrum(lines.frequencies_hz, np.sqrt(2 * lines.powers.astype(np.float64) / HANN_LINE_SHARE), unit)


def background(spectrum: Spectrum, width_hz: float = BACKGROUND_HZ) -> Values:
    """Running median over ``width_hz``: what the spectrum would be without its lines. Mirrored at both ends; ``[m]``."""
    width = 2 * round(width_hz / spectrum.resolution_hz / 2) + 1
    median: Values = ndimage.median_filter(spectrum.values, size=width, mode="mirror")
    return median


def level_over_background_db(spectrum: Spectrum, width_hz: float = BACKGROUND_HZ) -> Values:
    """How far each amplitude stands out of the running median: ``[m]`` in dB; 0 where both are zero, inf over a zero background."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level: Values = 20 * np.log10(spectrum.values / background(spectrum, width_hz))
    return np.nan_to_num(level, nan=0.0, posinf=np.inf, neginf=-np.inf)
