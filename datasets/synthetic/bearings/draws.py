"""Draw machines and faults from the ranges in which they occur."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from andon.datasets.synthetic.bearings.scenario import ORDERS_6205, Gear, Hum, Mode, Scenario
from andon.models.types.vibration import BearingOrders, Fault

BEARINGS: Mapping[str, BearingOrders] = {
    # Kinematic orders. 6203 and 6205 as published; 6206 of 9 balls of 9.525 mm on 46 mm, 6308 of 8 of 15.081 mm on 65 mm.
    "6203": BearingOrders(3.0530, 4.9469, 1.9937, 0.3817),
    "6205": ORDERS_6205,
    "6206": BearingOrders(3.5682, 5.4318, 2.3112, 0.39647),
    "6308": BearingOrders(3.0719, 4.9281, 2.0390, 0.38399),
}
"""Deep-groove ball bearings that small and mid-sized motors and pumps run on."""

RPM = (600.0, 3600.0)
"""From a slow gearbox shaft to a two-pole motor on 60 Hz."""
RESONANCE_HZ = (1500.0, 8000.0)
"""Where housings of small bearings ring in measured records of such rigs."""
DAMPING = (0.02, 0.08)
"""Lightly damped metal structures with bolted joints."""
NOISE_G = (0.03, 0.5)
"""RMS, drawn over its logarithm: from a small motor to a loaded gearbox."""
SNR_DB = (-12.0, 6.0)
"""At -12 dB the fault's line stood five times over the median of the squared envelope spectrum of the whole band in 52 to 76 %
of 100 drawn records of 2 s, at -6 dB in 88 to 100 %, at -18 dB in none."""
SEVERITY_MM_S = (2.8, 11.0)
"""Zone C and beyond for most classes of ISO 10816-1: a shaft fault below that is none."""
SLIP = 0.01
"""Randall and Antoni (2011) give 1 to 2 % as the most that a mean order is off the kinematic one."""
JITTER = (0.001, 0.01)
"""Of the places and of the intervals of impacts: Antoni and Randall (2003) simulate about 1 % and less."""
AMPLITUDE_SPREAD = (0.1, 0.3)
"""Chosen: lubrication and load change each impact."""
LOAD_EXTENT = (0.3, 0.6)
"""Around 0.5, a bearing without clearance: less with clearance, more with preload."""


def random_scenario(rng: np.random.Generator, fault: Fault) -> Scenario:
    """Draw a machine and give it a fault, from the ranges of this module.

    Parameters
    ----------
    fault
        ``none`` or one of ``FAULTS``.

    Examples
    --------
    >>> random_scenario(np.random.default_rng(0), Fault.CAGE).fault.value
    'cage'
    """
    return damaged(random_machine(rng), fault, rng)


def random_machine(rng: np.random.Generator) -> Scenario:
    """Draw a machine without a fault."""
    shaft = rng.uniform(0.1, 0.8) * np.array([1.0, *rng.uniform(0.1, 0.6, 2)])
    return Scenario(
        rpm=rng.uniform(*RPM),
        orders=BEARINGS[str(rng.choice(list(BEARINGS)))],
        resonances=tuple(_mode(rng, 1.0 if first else rng.uniform(0.2, 0.8)) for first in _first_of(rng)),
        background=tuple(_broad_mode(rng) for _ in range(rng.integers(2, 6))),
        load_extent=rng.uniform(*LOAD_EXTENT),
        noise_g=_log_uniform(rng, NOISE_G),
        colour=rng.uniform(0.5, 2.0),
        shaft_mm_s=tuple(shaft.tolist()),
        gears=tuple(_gear(rng) for _ in range(rng.integers(0, 2))),
        hum=Hum(float(rng.choice([50.0, 60.0])), _log_uniform(rng, (0.001, 0.02))),
        wander=rng.uniform(0.0, 0.003),
        gain=rng.uniform(0.9, 1.1),
    )


def damaged(machine: Scenario, fault: Fault, rng: np.random.Generator) -> Scenario:
    """Give a machine a fault of random strength; what the fault does not use is drawn too and has no effect."""
    return replace(
        machine,
        fault=fault,
        snr_db=rng.uniform(*SNR_DB),
        severity_mm_s=_log_uniform(rng, SEVERITY_MM_S),
        slip=rng.uniform(-SLIP, SLIP),
        jitter=rng.uniform(*JITTER),
        interval_spread=rng.uniform(*JITTER),
        amplitude_spread=rng.uniform(*AMPLITUDE_SPREAD),
    )


def _first_of(rng: np.random.Generator) -> list[bool]:
    """Whether each of one to three modes is the first."""
    return [True, False, False][: rng.integers(1, 4)]


def _mode(rng: np.random.Generator, gain: float) -> Mode:
    return Mode(rng.uniform(*RESONANCE_HZ), rng.uniform(*DAMPING), gain)


def _broad_mode(rng: np.random.Generator) -> Mode:
    return Mode(_log_uniform(rng, (200.0, 11_000.0)), rng.uniform(0.05, 0.3), rng.uniform(0.2, 1.0))


def _gear(rng: np.random.Generator) -> Gear:
    return Gear(int(rng.integers(15, 61)), _log_uniform(rng, (0.01, 0.2)), rng.uniform(0.1, 0.5))


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
