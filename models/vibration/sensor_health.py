"""Whether a signal can be believed, before anything is concluded from it.

Each check is one reason; the thresholds stand in ``SensorLimits`` with how they were chosen. A false alarm costs trust in every later
one, so each looks for what a vibration cannot do, not for what it seldom does.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from andon.models.types.vibration import Samples, SensorHealth, Signal
from andon.models.vibration.units import STANDARD_GRAVITY_M_S2, Quantity, quantity_of, to_working_unit


@dataclass(frozen=True, slots=True)
class Plausible:
    """What a signal of one quantity can be, in its working unit.

    Parameters
    ----------
    floor_rms, ceiling_rms
        Least and greatest root mean square about the mean.
    offset
        Greatest absolute mean; a smaller one is never a fault.
    min_rate_hz
        Least rate.
    """

    floor_rms: float
    ceiling_rms: float
    offset: float
    min_rate_hz: float


PLAUSIBLE: Mapping[Quantity, Plausible] = {
    # 1 ug: the quietest seismic accelerometers have this in 1 Hz, industrial ones have 100 times as much. 500 g: the range of common shock
    # sensors, as rms. 1.5 g: gravity on a sensor that measures down to 0 Hz, and half a g for its own offset. 100 Hz: Nyquist would lie
    # at a 50 Hz motor's speed, and no accelerometer for machines is sampled that slowly.
    Quantity.ACCELERATION: Plausible(
        1e-6 * STANDARD_GRAVITY_M_S2, 500 * STANDARD_GRAVITY_M_S2, 1.5 * STANDARD_GRAVITY_M_S2, 100.0
    ),
    # 1e-5 mm/s: a hundredth of a quiet floor. 1,000 mm/s: 55 times the C/D limit of the largest machines. 5 mm/s: a tenth of the range of
    # a common 4-20 mA transmitter. 20 Hz: 10 Hz is where the band of severity begins.
    Quantity.VELOCITY: Plausible(1e-5, 1e3, 5.0, 20.0),
    # 1e-4 um: a thousandth of what a proximity probe resolves. 10 mm: more than the range of any. Its mean is the gap, which is no
    # fault. 4 Hz: 2 Hz is where the band of slow machines begins.
    Quantity.DISPLACEMENT: Plausible(1e-4, 1e4, math.inf, 4.0),
}


@dataclass(frozen=True, slots=True)
class SensorLimits:
    """Thresholds of the checks.

    Parameters
    ----------
    plausible
        By quantity.
    max_rate_hz
        Above it the rate is in other units; acoustic emission is sampled with up to 10 MHz.
    min_pile
        Samples at an extreme value that make a pile: fewer are no measurable loss.
    pile_ratio
        A pile has this many times the samples of any step near it. Noise has less than one, a sine at most
        1 / (2^(1/2) - 1) = 2.4, and a top so flat that it falls with the fourth power 1 / (2^(1/4) - 1) = 5.3.
    pile_reach
        How far from the extreme value a step is near, as a share of the way to the mean.
    min_steps
        Steps near the pile that some sample takes. What exceeds the range passes them on its way; a coarse converter has fewer, and a
        tone or impulses that repeat exactly pile up at a few values and leave those between empty.
    hard_hair
        Share of the range within which values count as the same when a converter clips: the rounding of float64, with much room.
    soft_hair
        The same when an amplifier saturates, whose noise remains on the rail: a thousandth of the range, 60 dB.
    min_frozen
        Samples in a row without any change, as a multiple of what the rest of the record does. The top of a slow sine in coarse steps
        lasts at most 2 / (sqrt(2) - 1) = 4.8 times as long as the step beside it; 8 leaves nearly a factor of two.
    abrupt_steps
        A standstill begins with a change of this many of the converter's steps. Impulses whose noise is below one step come to rest
        between each other too, but by one to six steps (a resonance at a fifth of the rate that decays in five samples).
    abrupt_samples
        Changes that are looked at before a standstill, or after it where it is the record's beginning.
    min_offset_s
        What is shorter may be a part of a slow vibration, whose mean is no offset: a period of 2 Hz, where the band of slow machines
        begins.
    flat_share
        A standstill of this share of the record is a flat line, a shorter one a dropout.
    """

    plausible: Mapping[Quantity, Plausible] = field(default_factory=lambda: PLAUSIBLE)
    max_rate_hz: float = 1e7
    min_pile: int = 8
    pile_ratio: float = 6.0
    pile_reach: float = 1 / 3
    min_steps: int = 4
    hard_hair: float = 1e-9
    soft_hair: float = 1e-3
    min_frozen: int = 8
    abrupt_steps: float = 8.0
    abrupt_samples: int = 3
    min_offset_s: float = 0.5
    flat_share: float = 0.1


@dataclass(frozen=True)
class Reading:
    """A signal in its working unit, with what several checks ask of it, computed once. At least one sample, all finite."""

    signal: Signal
    limits: SensorLimits

    @cached_property
    def samples(self) -> Samples:
        """``[n]`` in the working unit."""
        return to_working_unit(self.signal.samples, self.signal.unit)

    @property
    def plausible(self) -> Plausible:
        """What such a signal can be."""
        return self.limits.plausible[quantity_of(self.signal.unit)]

    @cached_property
    def highest(self) -> float:
        """Greatest sample."""
        return float(self.samples.max())

    @cached_property
    def lowest(self) -> float:
        """Least sample."""
        return float(self.samples.min())

    @cached_property
    def mean(self) -> float:
        """Mean."""
        return float(self.samples.mean())

    @cached_property
    def rms(self) -> float:
        """Root mean square about the mean."""
        return float(self.samples.std())

    @cached_property
    def is_clipped(self) -> bool:
        """Whether samples pile up at an extreme value."""
        if self.rms < self.plausible.floor_rms:
            return False
        sides = (self.highest - self.samples, self.samples - self.lowest)
        return any(_piles_up(side, self.limits) for side in sides)

    @cached_property
    def standstills(self) -> NDArray[np.int64]:
        """Lengths of the stretches in which nothing changes though the rest of the record does; not those that are clipped."""
        changes = np.abs(np.diff(self.samples))
        starts, lengths = _runs(changes == 0)
        if self.is_clipped:
            values = self.samples[starts]
            is_inside = (values < self.highest) & (values > self.lowest)
            starts, lengths = starts[is_inside], lengths[is_inside]
        is_long = lengths >= _outlying(lengths, self.limits.min_frozen)
        frozen = lengths[is_long]
        return frozen if self._is_abrupt(changes, starts[is_long], frozen) else frozen[:0]

    def _is_abrupt(self, changes: Samples, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> bool:
        """Whether most of the standstills begin with a large change."""
        if not len(starts):
            return False
        step = changes.min(initial=math.inf, where=changes > 0)
        offsets = np.arange(self.limits.abrupt_samples)
        beside = np.where(starts[:, None] > 0, starts[:, None] - 1 - offsets, (starts + lengths)[:, None] + offsets)
        largest = changes[np.clip(beside, 0, len(changes) - 1)].max(axis=1)
        return bool(np.median(largest) >= self.limits.abrupt_steps * step)


def check_sensor(signal: Signal, limits: SensorLimits | None = None) -> SensorHealth:
    """Check whether a signal can be believed.

    Parameters
    ----------
    signal
        Of any length, also with samples that are not finite.
    limits
        Thresholds; the defaults where None.

    Returns
    -------
    SensorHealth
        With the message codes of all reasons against it.
    """
    if not np.isfinite(signal.samples).all():
        return SensorHealth(("sensor.not_finite",))
    if not len(signal.samples):
        return SensorHealth(("sensor.silence",))
    reading = Reading(signal, limits or SensorLimits())
    return SensorHealth(tuple(code for code, speaks_against in CHECKS.items() if speaks_against(reading)))


def _is_silent(reading: Reading) -> bool:
    return reading.rms < reading.plausible.floor_rms


def _piles_up(distance: Samples, limits: SensorLimits) -> bool:
    """Whether samples pile up where ``distance``, that from an extreme value, is zero: on it, or in its neighbourhood."""
    span = float(distance.max())
    return any(_is_pile(distance, hair * span, limits) for hair in (limits.hard_hair, limits.soft_hair))


def _is_pile(distance: Samples, hair: float, limits: SensorLimits) -> bool:
    is_near = distance <= hair
    in_pile = int(np.count_nonzero(is_near))
    if in_pile < limits.min_pile:
        return False
    rest = distance[~is_near]
    near = rest[rest <= limits.pile_reach * float(distance.mean())]
    taken = np.unique((near / max(hair, float(rest.min()))).round(), return_counts=True)[1]
    return len(taken) >= limits.min_steps and in_pile > limits.pile_ratio * int(taken.max())


def _runs(marks: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of marks start, and how long they are."""
    edges = np.flatnonzero(np.diff(marks, prepend=False, append=False))
    return edges[::2], edges[1::2] - edges[::2]


def _is_flat(reading: Reading) -> bool:
    return bool((reading.standstills >= reading.limits.flat_share * len(reading.samples)).any())


def _drops_out(reading: Reading) -> bool:
    return bool((reading.standstills < reading.limits.flat_share * len(reading.samples)).any())


def _outlying(lengths: NDArray[np.int64], ratio: int) -> float:
    """The length above the widest gap between neighbours in size, where that is at least a factor of ``ratio``; else infinite.

    A change at every sample, length 0, counts as 1.
    """
    sizes = np.append(1, np.flatnonzero(np.bincount(lengths)))
    growth = sizes[1:] / sizes[:-1]
    if growth.max(initial=0.0) < ratio:
        return math.inf
    return float(sizes[1:][np.argmax(growth)])


def _is_biased(reading: Reading) -> bool:
    is_long = len(reading.samples) >= reading.limits.min_offset_s * reading.signal.rate_hz
    return is_long and abs(reading.mean) > max(reading.plausible.offset, reading.rms)


def _has_wrong_unit(reading: Reading) -> bool:
    return reading.rms > reading.plausible.ceiling_rms


def _has_wrong_rate(reading: Reading) -> bool:
    rate_hz = reading.signal.rate_hz
    turns_hz = (reading.signal.rpm or 0.0) / 60
    return not max(reading.plausible.min_rate_hz, 2 * turns_hz) <= rate_hz <= reading.limits.max_rate_hz


CHECKS: Mapping[str, Callable[[Reading], bool]] = {
    "sensor.clipping": lambda reading: reading.is_clipped,
    "sensor.flat_line": _is_flat,
    "sensor.dropouts": _drops_out,
    "sensor.bias": _is_biased,
    "sensor.unit": _has_wrong_unit,
    "sensor.rate": _has_wrong_rate,
    "sensor.silence": _is_silent,
}
"""Every check of finite samples by its reason, in the order in which the reasons are given."""
