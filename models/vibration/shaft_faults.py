"""What the lines of the velocity spectrum say of the shaft and of what it carries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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

BACKGROUND_LINES = 50

_LOOSE_ORDERS = (0.5, 1.5, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
_SIDEBANDS = (-2, -1, 0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class VelocityLines:
    """Mean square of the velocity by frequency: ``power`` is ``[m]``, (mm/s)^2, zero outside the band that is judged."""

    power: NDArray[np.float64]
    resolution_hz: float

    def total(self) -> float:
        """Mean square over the band."""
        return float(self.power.sum())

    def line(self, frequency_hz: float) -> float:
        """Mean square of the line at ``frequency_hz``."""
        half = max(LOBE, LINE_WIDTH * frequency_hz / self.resolution_hz)
        centre = frequency_hz / self.resolution_hz
        return float(self.power[max(0, round(centre - half)) : round(centre + half) + 1].sum())

    def tooth(self, frequency_hz: float) -> Tooth:
        """The line at ``frequency_hz``: its amplitude in mm/s, and how far that exceeds the background around it."""
        centre = round(frequency_hz / self.resolution_hz)
        around = self.power[max(0, centre - BACKGROUND_LINES) : centre + BACKGROUND_LINES + 1]
        amplitude = float(np.sqrt(2 * self.line(frequency_hz)))
        background = float(np.sqrt(2 * (2 * LOBE + 1) * np.median(around))) if len(around) else 0.0
        return Tooth(frequency_hz, amplitude / background if background > 0 else 1.0)


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
    """A cause with the share of the velocity's mean square that its lines carry."""

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
    candidates: dict[Fault, list[float]] = {
        _cause_of_harmonics(lines, shaft_hz, direction): [order * shaft_hz for order in (1.0, 2.0, 3.0)],
    }
    if _is_loose(lines, shaft_hz):
        candidates = {Fault.LOOSENESS: [order * shaft_hz for order in (1.0, 2.0, *_LOOSE_ORDERS)]}
    candidates |= {fault: hz for fault, hz in _other_lines(shaft_hz, machine).items() if hz}
    findings = [_finding(fault, hz, lines) for fault, hz in candidates.items()]
    return sorted(findings, key=lambda finding: -finding.share)


def stands_beside_mains(shaft_hz: float, machine: Machine, resolution_hz: float) -> bool:
    """Whether 2x and twice the frequency of the mains cannot be told apart."""
    return machine.line_hz is not None and abs(2 * shaft_hz - 2 * machine.line_hz) < max(
        4 * resolution_hz, LINE_WIDTH * 2 * machine.line_hz
    )


def _cause_of_harmonics(lines: VelocityLines, shaft_hz: float, direction: Direction) -> Fault:
    first, second = np.sqrt(lines.line(shaft_hz)), np.sqrt(lines.line(2 * shaft_hz))
    if direction is Direction.AXIAL or second >= MISALIGNED_RATIO * first:
        return Fault.MISALIGNMENT
    return Fault.UNBALANCE_OR_MISALIGNMENT


def _is_loose(lines: VelocityLines, shaft_hz: float) -> bool:
    leading = max(lines.line(shaft_hz), lines.line(2 * shaft_hz))
    powers = [lines.line(order * shaft_hz) for order in _LOOSE_ORDERS]
    return sum(power >= HARMONIC_SHARE**2 * leading for power in powers) >= LOOSE_HARMONICS


def _other_lines(shaft_hz: float, machine: Machine) -> Mapping[Fault, list[float]]:
    mesh = [(teeth * h + side) * shaft_hz for teeth in machine.teeth for h in (1, 2) for side in _SIDEBANDS]
    blades = [machine.blades * h * shaft_hz for h in (1, 2)] if machine.blades else []
    return {
        Fault.GEAR: mesh,
        Fault.BLADE_PASS: blades,
        Fault.ELECTRICAL: [2 * machine.line_hz] if machine.line_hz else [],
    }


def _finding(fault: Fault, frequencies_hz: Iterable[float], lines: VelocityLines) -> ShaftFinding:
    found = list(frequencies_hz)
    total = lines.total()
    share = sum(lines.line(hz) for hz in found) / total if total > 0 else 0.0
    return ShaftFinding(
        fault, min(1.0, share), tuple((number, lines.tooth(hz)) for number, hz in enumerate(found, start=1))
    )
