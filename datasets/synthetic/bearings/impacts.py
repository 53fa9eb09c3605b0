"""Impacts of a damaged bearing and the ringing they cause.

Sources
-------
- P. D. McFadden, J. D. Smith, "Model for the vibration produced by a single point defect in a rolling element bearing",
  Journal of Sound and Vibration 96 (1984) 69-82: impacts weighed by the load zone, each exciting a decaying resonance.
- J. Antoni, R. B. Randall, "Differential diagnosis of gear and bearing faults", Journal of Vibration and Acoustics 124
  (2002) 165-171, and "A stochastic model for simulation and diagnostics of rolling element bearings with localized
  faults", the same 125 (2003) 282-289: random slip, so that the intervals are independent with a common mean.
- R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mechanical Systems and Signal Processing
  25 (2011) 485-520.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.signal import lfilter

from andon.datasets.synthetic.bearings.rotation import Rotation
from andon.datasets.synthetic.bearings.scenario import Mode, Scenario
from andon.models.types.vibration import BearingOrders, Fault, Samples

HARDEST, SOFTEST = 3.0, 0.1
"""Bounds of an impact's strength over the mean: a strength drawn below zero would turn the impact round."""

Order = Callable[[BearingOrders], float]

IMPACT_ORDERS: Mapping[Fault, Order] = {
    Fault.OUTER_RACE: lambda orders: orders.bpfo,
    Fault.INNER_RACE: lambda orders: orders.bpfi,
    # A spot on a ball strikes both races in each of the ball's revolutions.
    Fault.ROLLING_ELEMENT: lambda orders: 2 * orders.bsf,
    Fault.CAGE: lambda orders: orders.ftf,
}

ZONE_ORDERS: Mapping[Fault, Order] = {
    # Turns of the damaged spot through the load zone; a spot on a fixed outer race stays where it is.
    Fault.INNER_RACE: lambda orders: 1.0,
    Fault.ROLLING_ELEMENT: lambda orders: orders.ftf,
}


@dataclass(frozen=True, slots=True, eq=False)
class Impacts:
    """When the impacts happen, in seconds, at any fraction of a sample, and how strong each is: ``[k]`` each."""

    time_s: Samples
    strength: Samples


def impact_order(scenario: Scenario) -> float | None:
    """Return how many impacts a revolution of the shaft has, slip included; None without a bearing fault.

    >>> round(impact_order(Scenario(Fault.ROLLING_ELEMENT, slip=0.01)), 4)
    4.7607
    """
    order = IMPACT_ORDERS.get(scenario.fault)
    return None if order is None else order(scenario.orders) * (1 + scenario.slip)


def strike(scenario: Scenario, rotation: Rotation, order: float, rng: np.random.Generator) -> Impacts:
    """Draw the impacts of a record.

    Parameters
    ----------
    order
        Mean number of impacts a revolution.
    """
    last = rotation.revolutions[-1]
    count = int(order * last * 1.1) + 10  # a tenth more than expected: the random intervals may come out short
    steps, offsets, strengths = rng.standard_normal((3, count))
    places = rng.uniform() + np.arange(count) + scenario.interval_spread * steps.cumsum() + scenario.jitter * offsets
    revolutions = places / order
    strength = (1 + scenario.amplitude_spread * strengths).clip(SOFTEST, HARDEST)
    strength *= _load(scenario, revolutions, rng.uniform())
    is_inside = (revolutions >= 0) & (revolutions <= last)
    time_s = np.interp(revolutions[is_inside], rotation.revolutions, rotation.time_s)
    return Impacts(time_s, strength[is_inside])


def load_zone(turns: Samples, extent: float) -> Samples:
    """Return the load at a place of the circumference over the highest, by Stribeck, with the exponent of point contact.

    ``q = max(0, 1 - (1 - cos psi) / (2 epsilon)) ** 1.5`` with psi from the middle of the zone.

    Parameters
    ----------
    turns
        Angle from the middle of the zone, in turns.
    extent
        Load factor epsilon.

    Examples
    --------
    >>> load_zone(np.array([0.0, 0.25, 0.5]), 0.5).round(6).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.maximum(0.0, 1 - (1 - np.cos(2 * np.pi * turns)) / (2 * extent)) ** 1.5


def ring(impacts: Impacts, modes: tuple[Mode, ...], rate_hz: float, count: int) -> Samples:
    """Return what a sensor sees of the impacts: each excites each mode.

    The response of a mode to a unit impulse at ``t0`` is ``gain exp(-damping w (t - t0)) sin(w_d (t - t0))``. It is summed
    as a recursion over the samples whose input is the response at the first sample after each impact: exact at every
    fraction of a sample.

    Returns
    -------
    Samples
        ``[count]``.
    """
    return reduce(np.add, (_ring_mode(impacts, mode, rate_hz, count) for mode in modes), np.zeros(count))


def _load(scenario: Scenario, revolutions: Samples, start: float) -> Samples | float:
    order = ZONE_ORDERS.get(scenario.fault)
    return 1.0 if order is None else load_zone(order(scenario.orders) * revolutions + start, scenario.load_extent)


def _ring_mode(impacts: Impacts, mode: Mode, rate_hz: float, count: int) -> Samples:
    omega = 2 * np.pi * mode.frequency_hz
    pole = omega * complex(-mode.damping, np.sqrt(1 - mode.damping**2))
    first = np.ceil(impacts.time_s * rate_hz).astype(np.intp)
    is_inside = first < count
    first = first[is_inside]
    start = mode.gain * impacts.strength[is_inside] * np.exp(pole * (first / rate_hz - impacts.time_s[is_inside]))
    excitation = np.zeros(count, dtype=np.complex128)
    np.add.at(excitation, first, start)
    return np.asarray(lfilter([1.0], [1.0, -np.exp(pole / rate_hz)], excitation)).imag
