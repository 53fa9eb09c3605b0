"""What the pictures of one record share: which part of it is drawn, and what its title says."""

from dataclasses import replace

import numpy as np

from andon.models.alerts.card import SEVERITY_CODES
from andon.models.plots.canvas import joined
from andon.models.plots.fonts import Lettering
from andon.models.types.vibration import Bearing, Diagnosis, Fault, Machine, Signal
from andon.models.vibration.bearing_faults import fault_fundamentals
from andon.models.vibration.diagnosis import MAX_DURATION_S, bearings_at
from andon.models.vibration.documents import FINDING_CODES

MIN_LINES = 8
"""Fewer are no spectrum to speak of."""
SHAFT_FAULTS = frozenset(
    {
        Fault.UNBALANCE,
        Fault.MISALIGNMENT,
        Fault.UNBALANCE_OR_MISALIGNMENT,
        Fault.LOOSENESS,
        Fault.GEAR,
        Fault.BLADE_PASS,
        Fault.ELECTRICAL,
    }
)
"""What is found in the velocity spectrum; everything else is found in the envelope's."""


def diagnosed_part(signal: Signal) -> Signal:
    """The part of a record that the diagnosis rests on: lines found there stand where they were found."""
    return replace(signal, samples=signal.samples[: int(MAX_DURATION_S * signal.rate_hz)])


def is_drawable(signal: Signal, top_hz: float) -> bool:
    """Whether the record has a spectrum up to ``top_hz``."""
    return top_hz * signal.duration_s >= MIN_LINES and bool(np.isfinite(signal.samples).all())


def shaft_hz(diagnosis: Diagnosis) -> float | None:
    """Revolutions a second; None where nobody knows."""
    return diagnosis.rpm / 60 if diagnosis.rpm else None


def names_line(signal: Signal, machine: Machine, name: str) -> str:
    """Say which record of which machine this is."""
    asset = machine.name or machine.asset or signal.asset
    return joined(asset, signal.sensor, name)


def conclusion(diagnosis: Diagnosis, lettering: Lettering) -> str:
    """Say what was found, how urgent it is and how sure that is."""
    fault = lettering.text(FINDING_CODES[diagnosis.fault])
    severity = lettering.text(SEVERITY_CODES[diagnosis.severity])
    said = lettering.text("plot.conclusion", fault=fault, severity=severity)
    return said if diagnosis.p_value is None else joined(said, f"p = {diagnosis.p_value:.2g}")


def doubt(diagnosis: Diagnosis, lettering: Lettering) -> str:
    """Say that the record cannot be believed; nothing where it can."""
    return "" if diagnosis.sensor.ok else lettering.text("diagnosis.sensor")


def speed_text(diagnosis: Diagnosis, lettering: Lettering) -> str:
    """Say how fast the shaft turns, or that nobody knows."""
    if diagnosis.rpm is None:
        return lettering.text("plot.no_speed")
    return lettering.text("plot.speed", rpm=f"{diagnosis.rpm:,.0f}")


def marked_bearing(signal: Signal, machine: Machine, diagnosis: Diagnosis) -> Bearing | None:
    """The bearing whose frequencies are marked: of those at the sensor's place, or of the machine, the one that fits the lines found."""
    return min(bearings_at(signal, machine), key=lambda each: _misfit(each, diagnosis), default=None)


def _misfit(bearing: Bearing, diagnosis: Diagnosis) -> float:
    """Share by which the first line found is off the nearest fault frequency of a bearing; the same for all where nothing was found."""
    line = next((line for line in diagnosis.evidence if line.order), None)
    if line is None or line.order is None:
        return 0.0
    fundamental = line.order / line.harmonic
    return min(abs(fundamental / order - 1) for order in fault_fundamentals(bearing.orders).values())
