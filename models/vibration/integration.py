"""From acceleration to velocity and displacement and back, in the frequency domain within a band.

Levels come from the spectrum by Parseval's theorem, without going back to time. A tone that does not fit a whole number of
times into the record leaks into all frequencies; divided by the frequency, what leaks downwards would outgrow the tone.
Therefore:

- the mean and the linear trend are removed, because the drift of a sensor leaks like ``1 / f`` before it is integrated;
- the record is weighted with a Hann window, whose leakage falls by 18 dB an octave, and the window's mean square is divided out,
  which keeps the mean square of a stationary signal;
- the window spreads a tone over about three lines. ``f^-2`` is curved, so that the mean over those lines is not its value at the
  tone. The spread of the Hann window has a variance of 1/3 squared line whatever the tone's place between two lines, so the
  weight ``g(f)`` is replaced by ``g - g'' / 6`` (with ``g''`` a squared line), whose mean over the lines is ``g`` to fourth order.

Without the last step a tone of 15 periods in the record reads 0.22 % high in velocity; with it, less than 0.01 %.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from andon.models.types.vibration import Samples
from andon.models.vibration.units import Quantity

Floats = NDArray[np.floating[Any]]
Values = NDArray[np.float64]

HANN_MEAN_SQUARE = 3 / 8
HANN_LINE_SHARE = 2 / 3
"""Of the mean square of a tone that falls on a line, the share in that line; a sixth is in each neighbour."""
UNIT_STEP = 1000.0
"""From m/s2 to mm/s and from mm/s to um: each integration takes the unit down by a thousand."""
LINE_TOLERANCE = 0.005
"""How far from its nominal place a line is looked for. Speeds that were measured or estimated from the record are within 0.2 %; a wider
search would take the electrical line at 100 Hz for twice the speed of a motor at 2,970 rpm, 1 % beside it."""


@dataclass(frozen=True, slots=True)
class Band:
    """Frequencies from ``low_hz`` to ``high_hz``."""

    low_hz: float
    high_hz: float


@dataclass(frozen=True, slots=True, eq=False)
class PowerLines:
    """The mean square of a signal, line by line.

    Parameters
    ----------
    powers
        ``[..., n // 2 + 1]``: mean square in each line, in the squared working unit of ``quantity``; their sum is the mean square.
    rate_hz
        Samples a second.
    duration_s
        How long the record is; the lines are ``1 / duration_s`` apart.
    """

    powers: Floats
    rate_hz: float
    duration_s: float
    quantity: Quantity

    @property
    def resolution_hz(self) -> float:
        """Distance of two lines."""
        return 1 / self.duration_s

    @property
    def frequencies_hz(self) -> Values:
        """Frequency of each line: ``[n // 2 + 1]``."""
        return np.arange(self.powers.shape[-1]) / self.duration_s


def power_lines(samples: Floats, rate_hz: float, quantity: Quantity = Quantity.ACCELERATION) -> PowerLines:
    """Compute the mean square of each line, trend removed, under a Hann window.

    Parameters
    ----------
    samples
        ``[..., n]``, float32 or float64, in the working unit of ``quantity``, at least two.
    rate_hz
        Samples a second.
    """
    n = samples.shape[-1]
    spectrum = fft.rfft(detrended(samples) * hann(n).astype(samples.dtype))
    powers = (spectrum.real**2 + spectrum.imag**2) * (2 / (HANN_MEAN_SQUARE * n * n))
    powers[..., 0] /= 2
    if n % 2 == 0:
        powers[..., -1] /= 2
    return PowerLines(powers, rate_hz, n / rate_hz, quantity)


def band_rms(lines: PowerLines, band: Band, target: Quantity) -> Values:
    """Compute the root mean square of ``target`` within ``band``.

    Parameters
    ----------
    band
        Clipped to the frequencies that the record has. A line on an edge counts as far as it lies inside, so a tone on an edge counts half its power.

    Returns
    -------
    numpy.ndarray
        ``[...]``, in the working unit of ``target``. Good to 0.1 % for tones of at least 15 periods in the record.
    """
    frequencies = lines.frequencies_hz
    half = lines.resolution_hz / 2
    inside = slice(*np.searchsorted(frequencies, (band.low_hz - half, band.high_hz + half)))
    weights = _shares(frequencies[inside], half, band) * _power_weights(
        frequencies[inside], lines.resolution_hz, target - lines.quantity
    )
    level: Values = np.sqrt((lines.powers[..., inside] @ weights.astype(lines.powers.dtype)).astype(np.float64))
    return level


def line_amplitude(
    lines: PowerLines, frequency_hz: float, target: Quantity, tolerance: float = LINE_TOLERANCE
) -> Values:
    """Read the peak amplitude of the strongest line near ``frequency_hz``, interpolated between the lines of the spectrum.

    Where the tone lies between two lines follows from their ratio r under a Hann window, ``(2 r - 1) / (r + 1)``, and what the
    window takes away there is given back (Grandke, IEEE Trans. Instrum. Meas. 32 (1983) 350-355).

    Parameters
    ----------
    frequency_hz
        Where to look: at least two lines from zero and from the Nyquist frequency.
    tolerance
        Share of the frequency that is searched on both sides, at least one line.

    Returns
    -------
    numpy.ndarray
        ``[...]``, peak amplitude in the working unit of ``target``.
    """
    place = frequency_hz / lines.resolution_hz
    reach = max(1.0, tolerance * place)
    first = max(1, round(place - reach))
    searched = lines.powers[..., first : round(place + reach) + 1]
    peak = np.argmax(searched, axis=-1)[..., None] + first
    at_peak, below, above = (
        np.take_along_axis(lines.powers, peak + step, axis=-1)[..., 0].astype(np.float64) for step in (0, -1, 1)
    )
    ratio = np.sqrt(np.maximum(below, above) / np.maximum(at_peak, np.finfo(np.float64).tiny))
    offset = np.clip((2 * ratio - 1) / (ratio + 1), 0, 0.5)
    amplitude = np.sqrt(2 * at_peak / HANN_LINE_SHARE) * (1 - offset**2) / np.sinc(offset)
    frequency = (peak[..., 0] + np.where(above > below, offset, -offset)) * lines.resolution_hz
    read: Values = amplitude * _gain(frequency, target - lines.quantity)
    return read


def band_waveform(samples: Samples, rate_hz: float, source: Quantity, target: Quantity, band: Band) -> Samples:
    """Integrate or differentiate a record within ``band``, over time: for plots. Levels come from ``band_rms``.

    The record fades in and out over two periods of the lowest frequency, at most a quarter of it at each end: an end that is cut
    off sharply leaks into the lowest frequencies, which integration raises the most. Between, a tone of 15 periods or more is right
    to 3 % of its amplitude.

    Parameters
    ----------
    samples
        ``[n]``, in the working unit of ``source``, at least two.
    band
        Clipped to the frequencies that the record has; ``low_hz`` above zero.

    Returns
    -------
    numpy.ndarray
        ``[n]``, in the working unit of ``target``.
    """
    n = len(samples)
    spectrum = fft.rfft(detrended(samples) * fading(n, int(2 * rate_hz / band.low_hz)))
    frequencies = fft.rfftfreq(n, 1 / rate_hz)
    inside = (frequencies >= band.low_hz) & (frequencies < band.high_hz)
    steps = target - source
    factors = np.zeros(len(frequencies), np.complex128)
    factors[inside] = _gain(frequencies[inside], steps) * (-1j) ** steps
    waveform: Samples = fft.irfft(spectrum * factors, n)
    return waveform


def detrended(samples: Floats) -> Floats:
    """Remove the mean and the straight line that fit best along the last axis: ``[..., n]``, n at least two."""
    n = samples.shape[-1]
    time = np.arange(n) - (n - 1) / 2
    unit_slope = (time / np.sqrt(time @ time)).astype(samples.dtype)
    level = samples - samples.mean(axis=-1, keepdims=True)
    slope = level @ unit_slope
    straight: Floats = level - slope[..., None] * unit_slope
    return straight


def hann(n: int) -> Values:
    """The periodic Hann window: ``[n]``."""
    window: Values = 0.5 - 0.5 * np.cos(2 * np.pi / n * np.arange(n))
    return window


def fading(n: int, samples: int) -> Values:
    """Weights of 1 that fall to 0 over ``samples``, at most a quarter of all, at both ends: ``[n]``."""
    length = min(samples, n // 4)
    ramp = np.sin(np.pi / 2 * (np.arange(length) + 0.5) / max(length, 1)) ** 2
    return np.concatenate([ramp, np.ones(n - 2 * length), ramp[::-1]])


def _shares(frequencies_hz: Values, half_hz: float, band: Band) -> Values:
    """How much of each line's width, half a line to both sides, lies in the band."""
    low = np.maximum(frequencies_hz - half_hz, band.low_hz)
    high = np.minimum(frequencies_hz + half_hz, band.high_hz)
    return np.clip((high - low) / (2 * half_hz), 0, 1)


def _gain(frequencies_hz: Values, steps: int) -> Values:
    """What an amplitude is multiplied by for ``steps`` integrations (negative: differentiations)."""
    gain: Values = (UNIT_STEP / (2 * np.pi * frequencies_hz)) ** steps
    return gain


def _power_weights(frequencies_hz: Values, resolution_hz: float, steps: int) -> Values:
    """The squared gain g less a sixth of its second derivative: ``g'' = 2 s (2 s + 1) g / f^2`` for s steps."""
    if steps == 0:
        return np.ones_like(frequencies_hz)
    curvature = 2 * steps * (2 * steps + 1) / 6
    weights: Values = _gain(frequencies_hz, steps) ** 2 * (1 - curvature * (resolution_hz / frequencies_hz) ** 2)
    return weights
