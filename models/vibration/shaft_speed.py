"""How fast the shaft turns, read from the record itself."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from andon.models.types.vibration import Machine, Samples, Signal
from andon.models.vibration.comb import SEARCH, Spectrum, best_comb, without_lines
from andon.models.vibration.comb_null import comb_null
from andon.models.vibration.mains import MAINS_WIDTH, mains_hz_of

SIGNIFICANCE = 0.01
"""A speed is believed where noise would show a comb like its harmonics once in a hundred records."""

MIN_PERIODS = 2.0
"""Turns in a record below which the harmonics of the shaft are not lines of their own."""


@dataclass(frozen=True, slots=True)
class ShaftSpeed:
    """Revolutions a second. ``source`` is ``measured``, ``refined`` (measured, then read from the record) or ``estimated``."""

    hz: float
    source: str


def amplitude_lines(samples: Samples) -> Spectrum:
    """Amplitude of each line of a record: ``[n // 2 + 1]``, without a window, so that lines of noise stay independent."""
    lines: Spectrum = np.abs(fft.rfft(samples - samples.mean())) * (2 / len(samples))
    return lines


def shaft_speed(signal: Signal, machine: Machine) -> ShaftSpeed | None:
    """Read the speed from the harmonics of the shaft, near what is known of it.

    A measured speed is refined within the slip that a comb allows; without one, the machine's range of speeds is searched, since
    the slip of a motor is more than that. None where nothing is known, or no harmonics stand out in the range. Lines at the mains
    and at twice the mains do not count: they stand where a motor's synchronous speed and its multiples would.
    """
    low_rpm, high_rpm = _range_rpm(signal, machine)
    if low_rpm is None or high_rpm is None:
        return None
    resolution_hz = 1 / signal.duration_s
    mains = [number * hz for hz in mains_hz_of(machine) for number in (1, 2)]
    lines = without_lines(amplitude_lines(signal.samples), resolution_hz, mains, MAINS_WIDTH)
    found = _search(lines, resolution_hz, low_rpm / 60, high_rpm / 60)
    if signal.rpm:
        return ShaftSpeed(found, "refined") if found else ShaftSpeed(signal.rpm / 60, "measured")
    return ShaftSpeed(found, "estimated") if found else None


def _range_rpm(signal: Signal, machine: Machine) -> tuple[float | None, float | None]:
    if signal.rpm:
        return signal.rpm, signal.rpm
    return machine.min_rpm or machine.rpm, machine.max_rpm or machine.rpm


def _search(lines: Spectrum, resolution_hz: float, low_hz: float, high_hz: float) -> float | None:
    """Frequency of the best comb with a fundamental between the two; None where noise would do as well."""
    step = (1 + SEARCH.slip) / (1 - SEARCH.slip)
    n_steps = 1 + int(np.ceil(max(0.0, np.log(high_hz / low_hz) / np.log(step))))
    centres = np.geomspace(low_hz, high_hz, n_steps)
    reach_hz = (SEARCH.harmonics + 0.5) * (1 + SEARCH.slip)
    combs = [
        best_comb(lines, resolution_hz, centre, SEARCH)
        for centre in centres
        if centre >= MIN_PERIODS * resolution_hz and reach_hz * centre < len(lines) * resolution_hz
    ]
    if not combs:
        return None
    null = comb_null()
    best = max(combs, key=lambda comb: null.excess(comb.score, comb.periods))
    p_value = 1 - (1 - null.p_value(best.score, best.periods)) ** len(combs)
    return best.frequency_hz if p_value < SIGNIFICANCE else None
