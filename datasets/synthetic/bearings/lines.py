"""Lines of the shaft, of gears and of the mains, over the angle of the shaft.

A shaft line's acceleration grows with the square of the speed: the force of an eccentric mass on a rotor that runs above the
resonance of its support.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from andon.datasets.synthetic.bearings.rotation import Rotation
from andon.datasets.synthetic.bearings.scenario import Gear, Hum, Scenario
from andon.models.types.vibration import Fault, Samples

MM_S2_A_G = 9806.65
FLUCTUATION_HZ = (0.5, 5.0)
"""A loose part changes its contact over a few revolutions up to seconds."""


@dataclass(frozen=True, slots=True)
class Harmonics:
    """Lines of a shaft fault: their orders, velocity weights, and how far each fluctuates (RMS over mean)."""

    orders: tuple[float, ...]
    weights: tuple[float, ...]
    fluctuation: float = 0.0


_HALVES = tuple(number / 2 for number in range(1, 21))

SHAFT_HARMONICS: Mapping[Fault, Harmonics] = {
    # After the descriptions in ISO 13373-3 (annexes on shaft faults); weights are chosen, not measured.
    Fault.UNBALANCE: Harmonics((1.0,), (1.0,)),
    Fault.MISALIGNMENT: Harmonics((1.0, 2.0, 3.0), (0.5, 1.0, 0.35)),
    Fault.LOOSENESS: Harmonics(
        _HALVES, tuple((1.0 if order % 1 == 0 else 0.5) / order**0.5 for order in _HALVES), fluctuation=0.3
    ),
}


def shaft_lines(scenario: Scenario, rotation: Rotation, rng: np.random.Generator) -> Samples:
    """Return the lines at 1x, 2x, ... that every machine has, in g."""
    phases = rng.uniform(size=len(scenario.shaft_mm_s))
    lines = (
        _line(scenario, rotation, order, velocity, phase)
        for order, (velocity, phase) in enumerate(zip(scenario.shaft_mm_s, phases, strict=True), start=1)
    )
    return reduce(np.add, lines, np.zeros(len(rotation.time_s)))


def shaft_fault(scenario: Scenario, rotation: Rotation, rng: np.random.Generator) -> Samples:
    """Return the lines of the scenario's shaft fault, in g; together ``severity_mm_s`` at the nominal speed."""
    harmonics = SHAFT_HARMONICS[scenario.fault]
    velocities = scenario.severity_mm_s * np.array(harmonics.weights) / np.linalg.norm(harmonics.weights)
    return reduce(
        np.add,
        (
            _fluctuation(rotation, harmonics.fluctuation, rng)
            * _line(scenario, rotation, order, velocity, rng.uniform())
            for order, velocity in zip(harmonics.orders, velocities, strict=True)
        ),
    )


def gear_lines(gears: tuple[Gear, ...], rotation: Rotation, rng: np.random.Generator) -> Samples:
    """Return the mesh lines of the gears with their sidebands, in g.

    The amplitude modulation follows P. D. McFadden, "Detecting fatigue cracks in gears by amplitude and phase demodulation of
    the meshing vibration", Journal of Vibration and Acoustics 108 (1986) 165-170; the phase is modulated half as deep.
    """
    return reduce(np.add, (_gear(gear, rotation, rng) for gear in gears), np.zeros(len(rotation.time_s)))


def hum_lines(hum: Hum | None, rotation: Rotation, rng: np.random.Generator) -> Samples:
    """Return the lines of the mains, in g: they do not follow the shaft."""
    if hum is None:
        return np.zeros(len(rotation.time_s))
    turns = hum.line_hz * rotation.time_s
    once, twice = rng.uniform(size=2)
    return hum.amplitude_g * (0.25 * _cos(turns + once) + _cos(2 * turns + twice))


def _line(scenario: Scenario, rotation: Rotation, order: float, velocity_mm_s: float, phase: float) -> Samples:
    nominal_hz = scenario.rpm / 60
    amplitude_g = 2**0.5 * velocity_mm_s * 2 * np.pi * order * nominal_hz / MM_S2_A_G
    return amplitude_g * (rotation.speed_hz / nominal_hz) ** 2 * _cos(order * rotation.revolutions + phase)


def _fluctuation(rotation: Rotation, depth: float, rng: np.random.Generator) -> Samples:
    """Slow change of a line's amplitude, of RMS 1."""
    frequency_hz, phase = rng.uniform(*FLUCTUATION_HZ), rng.uniform()
    wave = depth * 2**0.5 * _cos(frequency_hz * rotation.time_s + phase)
    return np.asarray((1 + wave) / (1 + depth**2) ** 0.5, dtype=np.float64)


def _gear(gear: Gear, rotation: Rotation, rng: np.random.Generator) -> Samples:
    once, twice, shaft = rng.uniform(size=3)
    turns = rotation.revolutions + shaft
    mesh = gear.teeth * rotation.revolutions + gear.modulation / (4 * np.pi) * np.sin(2 * np.pi * turns)
    carrier = _cos(mesh + once) + 0.5 * _cos(2 * mesh + twice)
    return gear.mesh_g * (1 + gear.modulation * _cos(turns)) * carrier


def _cos(turns: Samples) -> Samples:
    return np.cos(2 * np.pi * turns)
