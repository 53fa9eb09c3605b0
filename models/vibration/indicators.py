"""What one number says of a vibration: levels, shape of the waveform, bands, and the lines at the shaft's speed.

An ``Indicator`` is a name, its unit and a function of something measured once for all of them: the ``Moments`` of the waveform, or
the lines of the spectrum. Windows are the rows of an array: ``[..., n]`` gives ``[..., k]``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy import fft

from andon.models.types.vibration import Signal
from andon.models.vibration.integration import (
    Band,
    Floats,
    PowerLines,
    Values,
    band_rms,
    line_amplitude,
    power_lines,
)
from andon.models.vibration.units import Quantity, quantity_of, to_working_unit
from andon.models.vibration.zones import evaluation_band

Measured = TypeVar("Measured")

BANDS = (Band(10.0, 500.0), Band(500.0, 2000.0), Band(2000.0, 5000.0), Band(5000.0, 10000.0))
"""Shaft and its harmonics; gear mesh; resonances that bearing impacts ring, in the two halves that common sensors reach (a stud-mounted
accelerometer is flat to about 10 kHz, ISO 5348)."""
MIN_SAMPLES = 16
"""Below this a kurtosis cannot be told from 3: its standard error, sqrt(24 / n), is above 1.2."""
MIN_LEVEL_S = 1.0
"""ISO 10816-1 asks for levels over several turns; a second is ten of them at 600 rpm, where the normal band begins."""
MIN_BAND_PERIODS = 4
"""Periods of the lowest frequency in a record: the Hann window spreads the mean and the trend over the first two lines."""
MIN_TURNS = 8
"""Turns of the shaft in a record from which the lines at its speed are read: each takes two lines on both sides, and noise between."""
CHUNK_BYTES = 2**18
"""Windows are worked off in chunks of this size: with two buffers as large they stay in a second-level cache of 1 MiB."""


@dataclass(frozen=True, slots=True)
class Indicator(Generic[Measured]):
    """One indicator: its name with the unit at its end, its unit (empty for a ratio), and how it is computed.

    ``measure`` returns ``[...]``, nan where the record does not allow it.
    """

    name: str
    unit: str
    measure: Callable[[Measured], Values]


@dataclass(frozen=True, slots=True, eq=False)
class Indicators:
    """Values of indicators.

    Parameters
    ----------
    names, units
        Of the last axis.
    values
        ``[..., k]``, float64; nan where a record does not allow it.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Values

    def of(self, name: str) -> Values:
        """Return one indicator: ``[...]``."""
        return self.values[..., self.names.index(name)]

    def beside(self, other: "Indicators") -> "Indicators":
        """Return these and ``other``, of the same windows."""
        values = np.concatenate([self.values, other.values], axis=-1)
        return Indicators(self.names + other.names, self.units + other.units, values)

    def document(self) -> dict[str, float | None]:
        """Return those of a single record by name, with None for nan."""
        return {
            name: float(value) if math.isfinite(value) else None
            for name, value in zip(self.names, self.values, strict=True)
        }


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the waveform's indicators are computed from, about the mean of each window: ``[...]`` each, float64.

    Parameters
    ----------
    second, third, fourth
        Central moments.
    magnitude
        Mean absolute value.
    highest, lowest
        Extreme values.
    """

    second: Values
    third: Values
    fourth: Values
    magnitude: Values
    highest: Values
    lowest: Values

    @property
    def rms(self) -> Values:
        """Root mean square."""
        return np.sqrt(self.second)

    @property
    def peak(self) -> Values:
        """Largest absolute value."""
        return np.maximum(self.highest, -self.lowest)


WAVEFORM: tuple[Indicator[Moments], ...] = (
    Indicator("rms_m_s2", "m/s2", lambda of: of.rms),
    Indicator("peak_m_s2", "m/s2", lambda of: of.peak),
    Indicator("peak_to_peak_m_s2", "m/s2", lambda of: of.highest - of.lowest),
    Indicator("crest", "", lambda of: of.peak / of.rms),
    Indicator("kurtosis", "", lambda of: of.fourth / of.second**2),
    Indicator("skewness", "", lambda of: of.third / of.second**1.5),
    Indicator("shape_factor", "", lambda of: of.rms / of.magnitude),
    Indicator("impulse_factor", "", lambda of: of.peak / of.magnitude),
)
"""Of the acceleration about its mean. Kurtosis is E[x^4] / E[x^2]^2: 3 for Gaussian noise, 1.5 for a sine."""


def waveform_indicators(windows: Floats) -> Indicators:
    """Compute the indicators of ``WAVEFORM``.

    Parameters
    ----------
    windows
        ``[..., n]``, float32 or float64, acceleration in m/s2. Float32 is twice as fast and good to 1e-4.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return _evaluate(WAVEFORM, moments(windows))


def moments(windows: Floats) -> Moments:
    """Compute the moments of windows ``[..., n]`` about their means."""
    n = windows.shape[-1]
    rows = windows.reshape(-1, n)
    step = max(1, CHUNK_BYTES // (n * windows.itemsize))
    found = np.empty((6, len(rows)))
    centred, powers = np.empty((2, min(step, len(rows)), n), windows.dtype)
    for first in range(0, len(rows), step):
        chunk = rows[first : first + step]
        found[:, first : first + step] = _moments(chunk, centred[: len(chunk)], powers[: len(chunk)])
    return Moments(*found.reshape(6, *windows.shape[:-1]))


def _moments(rows: Floats, centred: Floats, powers: Floats) -> tuple[Floats, ...]:
    """Compute the six moments of ``rows``. ``centred`` and ``powers`` are buffers of the same shape."""
    n = rows.shape[-1]
    one = np.ones_like(rows[:1])
    np.subtract(rows, (_row_dots(rows, one) / n)[:, None], out=centred)
    np.multiply(centred, centred, out=powers)
    second, third, fourth = _row_dots(centred, centred), _row_dots(powers, centred), _row_dots(powers, powers)
    highest, lowest = centred.max(axis=1), centred.min(axis=1)
    magnitude = _row_dots(np.abs(centred, out=powers), one)
    return second / n, third / n, fourth / n, magnitude / n, highest, lowest


def _row_dots(left: Floats, right: Floats) -> Floats:
    """Dot product of each row: ``matmul`` sums in blocks, several times faster than ``mean`` and ``einsum``."""
    dots: Floats = np.matmul(left[:, None, :], right[:, :, None])[:, 0, 0]
    return dots


@dataclass(frozen=True, slots=True, eq=False)
class ShaftSpectrum:
    """What the spectrum's indicators are computed from; ``rpm`` is None where nobody knows the speed."""

    lines: PowerLines
    rpm: float | None

    @property
    def absent(self) -> Values:
        """The answer where the record does not allow one: nan for each window."""
        return np.full(self.lines.powers.shape[:-1], np.nan)


def spectrum_indicators(lines: PowerLines, rpm: float | None, bands: Sequence[Band] = BANDS) -> Indicators:
    """Compute velocity and displacement within the band of ISO 10816-3, levels of bands, and the lines at 1, 2 and 3 turns.

    Parameters
    ----------
    rpm
        Speed of the shaft, right to 0.5 %; None where nobody knows.
    bands
        Levels of acceleration are computed for those that lie below the Nyquist frequency, from records of acceleration.
    """
    registry = (*LEVELS, *(_band_level(band) for band in bands), *LINES)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _evaluate(registry, ShaftSpectrum(lines, rpm))


def _level(name: str, target: Quantity) -> Indicator[ShaftSpectrum]:
    def measure(of: ShaftSpectrum) -> Values:
        band = evaluation_band(of.rpm)
        is_long = of.lines.duration_s >= max(MIN_LEVEL_S, MIN_BAND_PERIODS / band.low_hz)
        if not is_long or band.low_hz >= of.lines.rate_hz / 2:
            return of.absent
        return band_rms(of.lines, band, target)

    return Indicator(name, _UNITS[target], measure)


def _band_level(band: Band) -> Indicator[ShaftSpectrum]:
    def measure(of: ShaftSpectrum) -> Values:
        is_held = band.high_hz <= of.lines.rate_hz / 2 and of.lines.duration_s * band.low_hz >= MIN_BAND_PERIODS
        if not is_held or of.lines.quantity is not Quantity.ACCELERATION:
            return of.absent
        return band_rms(of.lines, band, Quantity.ACCELERATION)

    return Indicator(f"band_{band.low_hz:g}_{band.high_hz:g}_hz_m_s2", "m/s2", measure)


def _line(harmonic: int, name: str, target: Quantity) -> Indicator[ShaftSpectrum]:
    def measure(of: ShaftSpectrum) -> Values:
        turns = of.lines.duration_s * (of.rpm or math.nan) / 60
        if not (turns >= MIN_TURNS and harmonic * turns < of.lines.powers.shape[-1] - 2):
            return of.absent
        return line_amplitude(of.lines, harmonic * turns * of.lines.resolution_hz, target)

    return Indicator(f"x{harmonic}_{name}", _UNITS[target], measure)


_UNITS = {Quantity.ACCELERATION: "m/s2", Quantity.VELOCITY: "mm/s", Quantity.DISPLACEMENT: "um"}
LEVELS = (
    _level("velocity_rms_mm_s", Quantity.VELOCITY),
    _level("displacement_rms_um", Quantity.DISPLACEMENT),
)
LINES = tuple(
    _line(harmonic, name, target)
    for harmonic in (1, 2, 3)
    for name, target in (("velocity_mm_s", Quantity.VELOCITY), ("acceleration_m_s2", Quantity.ACCELERATION))
)
"""Peak amplitudes at one, two and three times the speed of the shaft."""


def envelope_indicators(windows: Floats) -> Indicators:
    """Compute ICS2, the spread of the squared envelope over its mean: 1 for Gaussian noise, 0 for a sine, more for impacts.

    Of the raw signal less its mean, not prewhitened: a strong shaft line hides impacts here. Diagnosis asks the prewhitened signal.

    Parameters
    ----------
    windows
        ``[..., n]``, float32 or float64, acceleration in m/s2.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return _evaluate(ENVELOPE, _squared_envelope(windows))


ENVELOPE: tuple[Indicator[Values], ...] = (
    Indicator("ics2", "", lambda squared: squared.std(axis=-1) / squared.mean(axis=-1)),
)


def _squared_envelope(windows: Floats) -> Values:
    bins = fft.rfft(windows - windows.mean(axis=-1, keepdims=True))
    analytic = fft.ifft(bins, windows.shape[-1])
    squared: Values = analytic.real**2 + analytic.imag**2
    return squared


def window_indicators(
    windows: Floats, rate_hz: float, rpm: float | None = None, bands: Sequence[Band] = BANDS
) -> Indicators:
    """Compute all indicators of windows of acceleration.

    Parameters
    ----------
    windows
        ``[..., n]``, float32 or float64, in m/s2; n at least ``MIN_SAMPLES``.
    rate_hz
        Samples a second.

    Returns
    -------
    Indicators
        ``[..., k]``, always of the same names for the same bands.
    """
    spectral = spectrum_indicators(power_lines(windows, rate_hz), rpm, bands)
    return waveform_indicators(windows).beside(envelope_indicators(windows)).beside(spectral)


def indicator_document(signal: Signal, rpm: float | None, bands: Sequence[Band] = BANDS) -> dict[str, float | None]:
    """Compute all indicators of one record, whatever its unit and length.

    Of a record of velocity or displacement, the waveform's shape and the bands of acceleration are None; the levels, and the lines at
    the shaft's speed, are converted in the spectrum.

    Parameters
    ----------
    rpm
        Speed of the shaft, right to 0.5 %; None where nobody knows.

    Returns
    -------
    dict
        Always the same names; None where the record does not allow one: a level of less than a second, a line without a
        speed, samples that are not finite.
    """
    quantity = quantity_of(signal.unit)
    is_finite = bool(np.isfinite(signal.samples).all())
    usable = is_finite and len(signal.samples) >= MIN_SAMPLES and 0 < signal.rate_hz < math.inf
    samples = to_working_unit(signal.samples, signal.unit) if usable else np.full(MIN_SAMPLES, np.nan)
    of_acceleration = samples if quantity is Quantity.ACCELERATION else np.full(MIN_SAMPLES, np.nan)
    spectral = spectrum_indicators(power_lines(samples, signal.rate_hz if usable else 1.0, quantity), rpm, bands)
    shape = waveform_indicators(of_acceleration).beside(envelope_indicators(of_acceleration))
    return shape.beside(spectral).document()


def _evaluate(registry: Sequence[Indicator[Measured]], of: Measured) -> Indicators:
    return Indicators(
        tuple(each.name for each in registry),
        tuple(each.unit for each in registry),
        np.stack([np.asarray(each.measure(of), np.float64) for each in registry], axis=-1),
    )
