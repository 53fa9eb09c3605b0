"""Generate a record of a machine from its scenario."""

import numpy as np

from andon.datasets.synthetic.bearings.background import background
from andon.datasets.synthetic.bearings.impacts import Impacts, impact_order, ring, strike
from andon.datasets.synthetic.bearings.lines import gear_lines, hum_lines, shaft_fault, shaft_lines
from andon.datasets.synthetic.bearings.rotation import Rotation, turn
from andon.datasets.synthetic.bearings.scenario import SHAFT_FAULTS, Scenario, SyntheticRecord
from andon.models.types.vibration import Samples, Signal, Unit

_NO_IMPACTS = Impacts(np.empty(0), np.empty(0))


def generate(scenario: Scenario, seed: int) -> SyntheticRecord:
    """Generate a record: the scenario says what is there, the seed draws phases, impacts and noise.

    Each part has its own stream of random numbers, so a scenario that differs in its fault alone differs in the fault's
    contribution alone.

    Parameters
    ----------
    seed
        Not negative. The same scenario and seed give the same samples.

    Raises
    ------
    ValueError
        If no impact of the fault falls into the record.
    """
    turn_rng, impact_rng, shaft_rng, gear_rng, hum_rng, noise_rng = (
        np.random.default_rng([seed, stream]) for stream in range(6)
    )
    rotation = turn(scenario, turn_rng)
    noise = background(scenario, noise_rng)
    fault, impacts = _fault(scenario, rotation, noise, impact_rng)
    samples = noise + fault + shaft_lines(scenario, rotation, shaft_rng)
    samples += gear_lines(scenario.gears, rotation, gear_rng) + hum_lines(scenario.hum, rotation, hum_rng)
    return _record(scenario, rotation, impacts, scenario.gain * samples, _snr_db(fault, noise))


def _fault(scenario: Scenario, rotation: Rotation, noise: Samples, rng: np.random.Generator) -> tuple[Samples, Impacts]:
    order = impact_order(scenario)
    if scenario.fault in SHAFT_FAULTS:
        return shaft_fault(scenario, rotation, rng), _NO_IMPACTS
    if order is None:
        return np.zeros_like(noise), _NO_IMPACTS
    impacts = strike(scenario, rotation, order, rng)
    ringing = ring(impacts, scenario.resonances, scenario.rate_hz, len(noise))
    power = float(np.mean(ringing**2))
    if power == 0:
        raise ValueError(f"no impact falls into {scenario.duration_s:g} s; expected a longer record")
    return ringing * np.sqrt(np.mean(noise**2) * 10 ** (scenario.snr_db / 10) / power), impacts


def _snr_db(fault: Samples, noise: Samples) -> float | None:
    power = float(np.mean(fault**2))
    return float(10 * np.log10(power / np.mean(noise**2))) if power > 0 else None


def _record(
    scenario: Scenario, rotation: Rotation, impacts: Impacts, samples: Samples, snr_db: float | None
) -> SyntheticRecord:
    mean_hz = float(rotation.speed_hz.mean())
    order = impact_order(scenario)
    return SyntheticRecord(
        signal=Signal(samples, scenario.rate_hz, Unit.G, rpm=60 * mean_hz, orders=scenario.orders),
        label=scenario.fault,
        fault_hz=None if order is None else order * mean_hz,
        impact_s=impacts.time_s,
        speed_rpm=60 * rotation.speed_hz,
        snr_db=snr_db,
        severity_mm_s=scenario.severity_mm_s if scenario.fault in SHAFT_FAULTS else None,
    )
