"""How the shaft turns: everything that follows it is generated over its angle, so it follows each change of speed."""

from dataclasses import dataclass

import numpy as np

from andon.datasets.synthetic.bearings.scenario import Scenario
from andon.models.types.vibration import Samples

WANDER_HZ = (0.1, 1.0)
"""Load and slip of a motor change over seconds; faster ones would be torsion."""
WANDER_WAVES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """The shaft at each sample: ``time_s``, ``speed_hz`` and ``revolutions`` since the start, each ``[n]``."""

    time_s: Samples
    speed_hz: Samples
    revolutions: Samples


def turn(scenario: Scenario, rng: np.random.Generator) -> Rotation:
    """Turn the shaft for a record: nominal speed, a linear run-up about the middle and a slow wander.

    The revolutions are the integral of the speed in closed form.
    """
    time_s = np.arange(round(scenario.rate_hz * scenario.duration_s)) / scenario.rate_hz
    half = scenario.duration_s / 2
    change = scenario.run_up * (time_s / scenario.duration_s - 0.5)
    shift = scenario.run_up * time_s * (time_s / 2 - half) / scenario.duration_s
    for amplitude, frequency_hz, phase in _waves(scenario.wander, rng):
        angle = 2 * np.pi * frequency_hz * time_s + phase
        change += amplitude * np.cos(angle)
        shift += amplitude * (np.sin(angle) - np.sin(phase)) / (2 * np.pi * frequency_hz)
    nominal_hz = scenario.rpm / 60
    return Rotation(time_s, nominal_hz * (1 + change), nominal_hz * (time_s + shift))


def _waves(wander: float, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    amplitude = wander * np.sqrt(2 / WANDER_WAVES)
    frequencies = rng.uniform(*WANDER_HZ, WANDER_WAVES)
    phases = rng.uniform(0, 2 * np.pi, WANDER_WAVES)
    return [(amplitude, float(hz), float(phase)) for hz, phase in zip(frequencies, phases, strict=True)]
