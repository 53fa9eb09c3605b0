"""What the signal graph must compute, written once more with scipy's transforms in float64; and signals to compute it of."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from andon.models.vibration.envelope import MAX_BAND_HZ, RELATIVE_FLOOR
from andon.models.vibration.signal_graph import INDICATORS, OUTPUTS
from andon.models.vibration.zones import NORMAL_BAND

Floats = NDArray[np.float64]
Real = NDArray[np.floating[Any]]


def analyse(samples: Real, rate_hz: float, speed_hz: float) -> dict[str, Floats]:
    """The outputs of the graph by name, of ``[batch, n]`` samples."""
    exact = samples.astype(np.float64)
    centred = exact - exact.mean(axis=1, keepdims=True)
    straight = without_trend(centred)
    window = signal.get_window("hann", centred.shape[1])
    squared = squared_envelope(centred, rate_hz)
    results = (
        one_sided(fft.rfft(straight * window, axis=1)) / window.mean(),
        one_sided(fft.rfft(squared - (squared > 0).any(axis=1, keepdims=True), axis=1)),
        indicators(centred, straight, squared, rate_hz),
        harmonics(straight * window, rate_hz, speed_hz) / window.sum(),
    )
    return {port.name: result for port, result in zip(OUTPUTS, results, strict=True)}


def without_trend(centred: Floats) -> Floats:
    """Remove the straight line that fits best; exactly nothing from a constant."""
    time = np.linspace(-1, 1, centred.shape[1])
    straight: Floats = centred - np.outer(centred @ time / (time @ time), time)
    return straight


def one_sided(spectrum: NDArray[np.complex128]) -> Floats:
    """Peak amplitudes: every line but the first and last stands for two."""
    n = 2 * (spectrum.shape[1] - 1)
    heights: Floats = np.abs(spectrum) / n
    heights[:, 1:-1] *= 2
    return heights


def squared_envelope(centred: Floats, rate_hz: float) -> Floats:
    """Squared envelope of the prewhitened signals over its mean; zero for constant signals."""
    n = centred.shape[1]
    spectrum = fft.rfft(centred, axis=1)
    spectrum[:, 0] = 0
    spectrum[:, fft.rfftfreq(n, 1 / rate_hz) > MAX_BAND_HZ] = 0
    magnitude = np.abs(spectrum)
    floored = np.maximum(magnitude, RELATIVE_FLOOR * magnitude.max(axis=1, keepdims=True))
    white = np.divide(spectrum, floored, out=np.zeros_like(spectrum), where=floored > 0)
    positive = np.zeros(centred.shape, np.complex128)
    positive[:, : n // 2 + 1] = 2 * white
    squared = np.abs(fft.ifft(positive, axis=1)) ** 2
    return over(squared, squared.mean(axis=1, keepdims=True))


def indicators(centred: Floats, straight: Floats, squared: Floats, rate_hz: float) -> Floats:
    """The indicators in their order."""
    rms = np.sqrt(np.mean(centred**2, axis=1))
    peak, rectified = np.abs(centred).max(axis=1), np.abs(centred).mean(axis=1)
    frequency, density = signal.periodogram(straight, rate_hz, "hann", detrend=False, scaling="density")
    resolution = rate_hz / centred.shape[1]
    edges = np.clip(
        np.stack([frequency - resolution / 2, frequency + resolution / 2]), NORMAL_BAND.low_hz, NORMAL_BAND.high_hz
    )
    power = density[:, 1:] * np.diff(edges, axis=0)[0, 1:]
    angular, spread = 2 * np.pi * frequency[1:], resolution / frequency[1:]
    velocity = (power / angular**2 * (1 - spread**2)).sum(axis=1)
    displacement = (power / angular**4 * (1 - 10 / 3 * spread**2)).sum(axis=1)
    by_name = {
        "rms_m_s2": rms,
        "peak_m_s2": peak,
        "crest": over(peak, rms),
        "kurtosis": over(np.mean(centred**4, axis=1), rms**4),
        "skewness": over(np.mean(centred**3, axis=1), rms**3),
        "shape_factor": over(rms, rectified),
        "impulse_factor": over(peak, rectified),
        "ics2": squared[:, ::2].std(axis=1),
        "velocity_rms_mm_s": 1e3 * np.sqrt(np.maximum(velocity, 0)),
        "displacement_rms_um": 1e6 * np.sqrt(np.maximum(displacement, 0)),
    }
    return np.stack([by_name[name] for name in INDICATORS], axis=1)


def harmonics(windowed: Floats, rate_hz: float, speed_hz: float) -> Floats:
    """Magnitude of ``2 sum x exp(-2 pi j f t)`` at one, two and three times the speed; zero where there is no such line."""
    seconds = np.arange(windowed.shape[1]) / rate_hz
    frequencies = speed_hz * np.array([1, 2, 3])
    kernel = np.exp(-2j * np.pi * np.outer(seconds, frequencies))
    return np.where((frequencies > 0) & (frequencies < rate_hz / 2), 2 * np.abs(windowed @ kernel), 0.0)


def over(above: Floats, below: Floats) -> Floats:
    """Divide, with zero where nothing moves."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def tones(generator: np.random.Generator, n: int) -> Floats:
    """A few lines, on and between the bins."""
    frequencies, heights = generator.uniform(0.001, 0.49, 4), generator.uniform(0.01, 1, 4)
    return np.sin(2 * np.pi * np.outer(frequencies, np.arange(n)) + 1).T @ heights


def noise(generator: np.random.Generator, n: int) -> Floats:
    return generator.normal(size=n)


def impulses(generator: np.random.Generator, n: int) -> Floats:
    """A single blow, or a train of them that ring."""
    blows = np.zeros(n)
    blows[generator.integers(n) :: generator.integers(40, 2 * n)] = 1
    ringing: Floats = signal.lfilter([1.0], [1, -2 * 0.97 * np.cos(0.8), 0.97**2], blows).astype(np.float64)
    return ringing if generator.random() < 0.7 else blows


def bearing(generator: np.random.Generator, n: int) -> Floats:
    """A train of blows under shaft lines and noise."""
    return 0.3 * impulses(generator, n) + tones(generator, n) + 0.1 * noise(generator, n)


def constant(generator: np.random.Generator, n: int) -> Floats:
    return np.full(n, generator.normal())


def alternating(generator: np.random.Generator, n: int) -> Floats:
    """Only the highest line."""
    return float(generator.normal()) * np.resize([1.0, -1.0], n)


def pure(generator: np.random.Generator, n: int) -> Floats:
    """One line, exactly on a bin: all others are rounding, below the floor of prewhitening."""
    return np.sin(2 * np.pi * np.arange(n) * int(generator.integers(1, n // 8)) / n)


def quantised(generator: np.random.Generator, n: int) -> Floats:
    """A tone as a 12-bit converter sees it."""
    steps: Floats = np.rint(500 * tones(generator, n))
    return steps / 500


SIGNALS: Mapping[str, Callable[[np.random.Generator, int], Floats]] = {
    made.__name__: made for made in (tones, noise, impulses, bearing, constant, alternating, pure, quantised)
}
