"""What the lines of the velocity spectrum say of the shaft and of what it carries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from andon.models.types.vibration import Direction, Fault, Machine
from andon.models.vibration.comb import Tooth
from andon.models.vibration.integration import UNIT_STEP, Band, PowerLines
from andon.models.vibration.units import Quantity

DOMINANT_SHARE = 0.5
"""The lines of a cause must carry half of the velocity's mean square, or the zone has another cause."""

HARMONIC_SHARE = 0.1
"""Amplitude, as a share of the largest of 1x and 2x, from which a further harmonic counts."""

LOOSE_HARMONICS = 4
"""Mechanical looseness shows a series: this many of the halves and of 3x to 8x (ISO 13373-1, annex)."""

MISALIGNED_RATIO = 1.0
"""Amplitude of 2x over 1x from which unbalance, which has no 2x, cannot be the cause alone."""

LINE_WIDTH = 0.004
"""Half-width of a line as a share of its frequency: the wander of a drive at steady load within a record."""

LOBE = 2
"""Half-width of the Hann window's lobe in lines of the spectrum: no line is narrower."""

BACKGROUND_SHARE = 0.5
BACKGROUND_LINES = (10, 50)
"""How far to each side the background is taken from, as a share of the frequency within bounds: noise of velocity falls with the square
of the frequency, but its median over a symmetric stretch is still its level in the middle."""

MIN_TURNS = 20
"""Turns in a record from which the shaft's lines can be told from noise: halves are then twice as far apart as a window is wide."""

LINE_RATIO = 2.0
"""6 dB over the background: less is no line, since the sum over a window of noise is up to 4 dB above its median."""

MEDIAN_OF_NOISE = log(2)
"""Median over mean of the power of noise in a line, which is exponentially distributed."""

_LOOSE_ORDERS = (0.5, 1.5, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
_SIDEBANDS = (-2, -1, 0, 1, 2)

Lines = Sequence[tuple[int, float]]
"""Lines of a cause: number and frequency in Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class VelocityLines:
    """Mean square of the velocity by frequency: ``power`` is ``[m]``, (mm/s)^2, zero outside the band that is judged."""

    power: NDArray[np.float64]
    resolution_hz: float

    def total(self) -> float:
        """Mean square over the band."""
        return float(self.power.sum())

    def line(self, frequency_hz: float) -> float:
        """Mean square of the line at ``frequency_hz``, over what noise has there."""
        window = self._window(frequency_hz)
        return max(0.0, float(window.sum()) - len(window) * self._background(frequency_hz))

    def tooth(self, frequency_hz: float) -> Tooth:
        """The line at ``frequency_hz``, and how far its amplitude exceeds what noise has in as wide a window."""
        window, background = self._window(frequency_hz), self._background(frequency_hz)
        in_noise = len(window) * background
        return Tooth(frequency_hz, float(np.sqrt(window.sum() / in_noise)) if in_noise > 0 else 1.0)

    def _window(self, frequency_hz: float) -> NDArray[np.float64]:
        centre = frequency_hz / self.resolution_hz
        half = max(LOBE, LINE_WIDTH * centre)
        return self.power[max(0, round(centre - half)) : round(centre + half) + 1]

    def _background(self, frequency_hz: float) -> float:
        """Mean power of noise in a line around ``frequency_hz``, from the median, which single lines do not move."""
        centre = frequency_hz / self.resolution_hz
        reach = float(np.clip(BACKGROUND_SHARE * centre, *BACKGROUND_LINES))
        around = self.power[max(0, round(centre - reach)) : round(centre + reach) + 1]
        in_band = around[around > 0]
        return float(np.median(in_band) / MEDIAN_OF_NOISE) if len(in_band) else 0.0


def velocity_lines(lines: PowerLines, band: Band) -> VelocityLines:
    """Integrate the lines of a record to velocity within ``band``."""
    frequencies = lines.frequencies_hz
    inside = (frequencies >= band.low_hz) & (frequencies < band.high_hz)
    power = np.zeros(len(frequencies))
    gain = (UNIT_STEP / (2 * np.pi * frequencies[inside])) ** (2 * (Quantity.VELOCITY - lines.quantity))
    power[inside] = lines.powers[inside] * gain
    return VelocityLines(power, lines.resolution_hz)


@dataclass(frozen=True, slots=True)
class ShaftFinding:
    """A cause with the share of the velocity's mean square that its lines carry.

    Lines are numbered in multiples of the cause's own frequency: the shaft's, the mesh's (sidebands bear its number), that of the
    blades, twice the mains'. Looseness counts in halves of the shaft's speed.
    """

    fault: Fault
    share: float
    teeth: tuple[tuple[int, Tooth], ...]


def shaft_findings(lines: VelocityLines, shaft_hz: float, machine: Machine, direction: Direction) -> list[ShaftFinding]:
    """List the causes that the spectrum offers for a machine's vibration, the one with most of it first.

    Notes
    -----
    Lines by cause after ISO 13373-1 and 13373-3. One radial channel cannot tell unbalance from misalignment: where 1x leads, the
    finding says both.
    """
    of_shaft = _harmonics(lines, shaft_hz, direction)
    findings = [_finding(fault, found, lines) for fault, found in (of_shaft, *_other_lines(shaft_hz, machine))]
    return sorted(findings, key=lambda finding: -finding.share)


def stands_beside_mains(shaft_hz: float, machine: Machine, resolution_hz: float) -> bool:
    """Whether 2x and twice the frequency of the mains cannot be told apart."""
    return machine.line_hz is not None and abs(2 * shaft_hz - 2 * machine.line_hz) < max(
        4 * resolution_hz, LINE_WIDTH * 2 * machine.line_hz
    )


def _harmonics(lines: VelocityLines, shaft_hz: float, direction: Direction) -> tuple[Fault, Lines]:
    """What the lines at the shaft's speed speak of, with those that count for it."""
    first, second = lines.line(shaft_hz), lines.line(2 * shaft_hz)
    if _is_loose(lines, shaft_hz, max(first, second)):
        orders = sorted((1.0, 2.0, *_LOOSE_ORDERS))
        return Fault.LOOSENESS, [(round(2 * order), order * shaft_hz) for order in orders]
    is_misaligned = direction is Direction.AXIAL or second >= MISALIGNED_RATIO**2 * first
    fault = Fault.MISALIGNMENT if is_misaligned else Fault.UNBALANCE_OR_MISALIGNMENT
    return fault, [(number, number * shaft_hz) for number in (1, 2, 3)]


def _is_loose(lines: VelocityLines, shaft_hz: float, leading: float) -> bool:
    counting = [
        order
        for order in _LOOSE_ORDERS
        if lines.line(order * shaft_hz) >= HARMONIC_SHARE**2 * leading
        and lines.tooth(order * shaft_hz).ratio >= LINE_RATIO
    ]
    return len(counting) >= LOOSE_HARMONICS


def _other_lines(shaft_hz: float, machine: Machine) -> Iterator[tuple[Fault, Lines]]:
    if machine.teeth:
        mesh = [(h, (teeth * h + side) * shaft_hz) for teeth in machine.teeth for h in (1, 2) for side in _SIDEBANDS]
        yield Fault.GEAR, mesh
    if machine.blades:
        yield Fault.BLADE_PASS, [(h, machine.blades * h * shaft_hz) for h in (1, 2)]
    if machine.line_hz:
        yield Fault.ELECTRICAL, [(1, 2 * machine.line_hz)]


def _finding(fault: Fault, found: Lines, lines: VelocityLines) -> ShaftFinding:
    total = lines.total()
    share = sum(lines.line(hz) for _, hz in found) / total if total > 0 else 0.0
    return ShaftFinding(fault, min(1.0, share), tuple((number, lines.tooth(hz)) for number, hz in found))
