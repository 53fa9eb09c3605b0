"""The noise of a machine: white, and coloured by the resonances of its structure."""

import numpy as np

from andon.datasets.synthetic.bearings.scenario import Mode, Scenario
from andon.models.types.vibration import Samples


def background(scenario: Scenario, rng: np.random.Generator) -> Samples:
    """Return Gaussian noise of RMS ``noise_g`` whose amplitude spectrum is that of the structure, ``[n]``, in g."""
    count = round(scenario.rate_hz * scenario.duration_s)
    frequency_hz: Samples = np.fft.rfftfreq(count, 1 / scenario.rate_hz).astype(np.float64)
    shape = np.hypot(1.0, scenario.colour * _response(frequency_hz, (*scenario.resonances, *scenario.background)))
    noise = np.fft.irfft(shape * np.fft.rfft(rng.standard_normal(count)), count)
    return np.asarray(noise * (scenario.noise_g / np.sqrt(np.mean(noise**2))), dtype=np.float64)


def _response(frequency_hz: Samples, modes: tuple[Mode, ...]) -> Samples:
    """Magnitude of the modes together, of RMS 1 over the band."""
    power = sum((_mode_power(frequency_hz, mode) for mode in modes), np.zeros_like(frequency_hz))
    mean = float(power.mean())
    return np.sqrt(power / mean) if mean > 0 else power


def _mode_power(frequency_hz: Samples, mode: Mode) -> Samples:
    ratio = frequency_hz / mode.frequency_hz
    return mode.gain**2 * (2 * mode.damping) ** 2 / ((1 - ratio**2) ** 2 + (2 * mode.damping * ratio) ** 2)
