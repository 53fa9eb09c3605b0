"""The spectrum in which shafts, gears and blades show, and with it the acceleration up to the highest frequency of the record."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from andon.models.messages.catalogue import Catalogue
from andon.models.plots.canvas import (
    BLUE,
    GREEN,
    HEADROOM,
    INK,
    PURPLE,
    VERMILION,
    entitle,
    explain,
    joined,
    name_axes,
    new_figure,
    png,
    say_instead,
)
from andon.models.plots.fonts import Lettering, lettering
from andon.models.plots.marks import Lane, axes_under_rows, draw_lines, draw_rows, ring, room_for
from andon.models.plots.records import (
    SHAFT_FAULTS,
    conclusion,
    diagnosed_part,
    doubt,
    is_drawable,
    names_line,
    shaft_hz,
    speed_text,
)
from andon.models.types.vibration import Diagnosis, Fault, Machine, Signal
from andon.models.vibration.integration import HANN_LINE_SHARE, PowerLines, power_lines
from andon.models.vibration.shaft_faults import LINE_WIDTH, velocity_lines
from andon.models.vibration.spectra import Spectrum
from andon.models.vibration.units import Quantity, quantity_of, to_working_unit
from andon.models.vibration.zones import NORMAL_BAND, evaluation_band

HEIGHT_IN, PANEL_IN = 4.0, 2.2
SHAFT_HARMONICS = (1, 2, 3)
PASSING_HARMONICS = (1, 2)
"""Of gears and blades: those that the diagnosis looks for."""
COLUMNS = 4000
"""Some for each pixel. Of the lines that share a column the highest is drawn, so that none vanishes."""
_TURNING = frozenset({Fault.UNBALANCE, Fault.MISALIGNMENT, Fault.UNBALANCE_OR_MISALIGNMENT, Fault.LOOSENESS})


def spectrum_plot(
    signal: Signal, machine: Machine, diagnosis: Diagnosis, catalogue: Catalogue, name: str = ""
) -> bytes:
    """Draw the velocity spectrum up to 1,000 Hz with the frequencies of shaft, gears, blades and mains, in mm/s rms.

    A record of acceleration is drawn as such too, in m/s2 rms up to its Nyquist frequency.

    Parameters
    ----------
    signal
        The record that was diagnosed. Values that are not finite, or too few, give a picture that says so.
    diagnosis
        Of this record: its speed places the marks; its evidence is ringed where it is of the shaft or what the shaft carries.
    catalogue
        The reader's language; without a font for Chinese the picture is in English.
    name
        What the record is called, such as its file.

    Returns
    -------
    bytes
        A PNG file.
    """
    return png(spectrum_figure(signal, machine, diagnosis, lettering(catalogue), name))


def spectrum_figure(
    signal: Signal, machine: Machine, diagnosis: Diagnosis, letters: Lettering, name: str = ""
) -> Figure:
    """Draw as ``spectrum_plot`` does, with the given lettering, and leave the rendering to the caller."""
    part = diagnosed_part(signal)
    lanes = list(shaft_lanes(machine, diagnosis, letters))
    panels = 2 if quantity_of(signal.unit) is Quantity.ACCELERATION else 1
    figure = new_figure(HEIGHT_IN + PANEL_IN * (panels - 1) + room_for(lanes))
    names, levels = names_line(signal, machine, name), _levels(diagnosis, letters)
    about = (names, levels, conclusion(diagnosis, letters), doubt(diagnosis, letters))
    entitle(figure, about, letters)
    axes, rows = axes_under_rows(figure, lanes, panels)
    _scale(axes, signal.rate_hz, letters)
    if rows is not None:
        draw_rows(rows, lanes, letters)
    if is_drawable(part, axes[0].get_xlim()[1]):
        _draw_spectra(axes, part, machine, diagnosis, letters)
        _mark(axes, lanes)
        explain(figure, letters)
    else:
        say_instead(axes[0], letters.text("plot.nothing"), letters)
    return figure


def shaft_lanes(machine: Machine, diagnosis: Diagnosis, letters: Lettering) -> Iterator[Lane]:
    """List where the shaft and what it carries show, as far as the machine's parts and its speed are known; and the mains."""
    turns_hz, fault = shaft_hz(diagnosis), diagnosis.fault
    if turns_hz is not None:
        yield Lane(letters.text("plot.shaft"), turns_hz, SHAFT_HARMONICS, BLUE, "--", fault in _TURNING)
        for teeth in machine.teeth:
            label = letters.text("plot.gear", teeth=teeth)
            yield Lane(label, teeth * turns_hz, PASSING_HARMONICS, VERMILION, "-.", fault is Fault.GEAR)
        if machine.blades:
            label = letters.text("plot.blades", blades=machine.blades)
            yield Lane(label, machine.blades * turns_hz, PASSING_HARMONICS, GREEN, ":", fault is Fault.BLADE_PASS)
    if machine.line_hz:
        yield Lane(letters.text("plot.mains"), 2 * machine.line_hz, (1,), PURPLE, "-", fault is Fault.ELECTRICAL)


def velocity_spectrum(signal: Signal, rpm: float | None) -> Spectrum:
    """Velocity in mm/s rms, zero outside the band in which the standard judges it: a tone that falls on a line reads its RMS there."""
    lines = _lines(signal)
    power = velocity_lines(lines, evaluation_band(rpm)).power
    return Spectrum(lines.frequencies_hz, np.sqrt(power / HANN_LINE_SHARE), "mm/s")


def own_spectrum(signal: Signal) -> Spectrum:
    """What was measured in its working unit, rms: a tone that falls on a line reads its RMS there."""
    lines = _lines(signal)
    return Spectrum(lines.frequencies_hz, np.sqrt(lines.powers.astype(np.float64) / HANN_LINE_SHARE), "m/s2")


def thinned(spectrum: Spectrum, columns: int = COLUMNS) -> Spectrum:
    """Keep the highest of as many neighbours as are needed to have at most ``columns`` values."""
    together = -(-len(spectrum.values) // columns)
    starts = np.arange(0, len(spectrum.values), together)
    values = np.maximum.reduceat(spectrum.values, starts)
    return Spectrum(spectrum.frequencies_hz[starts], values, spectrum.unit)


def _levels(diagnosis: Diagnosis, letters: Lettering) -> str:
    zone = letters.text("plot.zone", zone=diagnosis.zone) if diagnosis.zone else ""
    velocity = diagnosis.indicators.get("velocity_rms_mm_s")
    level = "" if velocity is None or not diagnosis.sensor.ok else letters.text("plot.level", value=f"{velocity:.3g}")
    return joined(speed_text(diagnosis, letters), level, zone)


def _lines(signal: Signal) -> PowerLines:
    return power_lines(to_working_unit(signal.samples, signal.unit), signal.rate_hz, quantity_of(signal.unit))


def _scale(axes: Sequence[Axes], rate_hz: float, letters: Lettering) -> None:
    """The first axes are for the velocity, further ones for the acceleration."""
    for index, each in enumerate(axes):
        each.set_xlim(0, rate_hz / 2 if index else min(NORMAL_BAND.high_hz, rate_hz / 2))
        quantity = letters.text("plot.acceleration") if index else letters.text("plot.velocity")
        name_axes(each, letters, letters.text("plot.frequency"), quantity)


def _draw_spectra(
    axes: Sequence[Axes], signal: Signal, machine: Machine, diagnosis: Diagnosis, letters: Lettering
) -> None:
    velocity = velocity_spectrum(signal, diagnosis.rpm or machine.rpm)
    _draw(axes[0], velocity)
    ring(axes[0], diagnosis.evidence if diagnosis.fault in SHAFT_FAULTS else (), velocity, LINE_WIDTH, letters)
    for each in axes[1:]:
        _draw(each, thinned(own_spectrum(signal)))


def _draw(axes: Axes, spectrum: Spectrum) -> None:
    shown = spectrum.frequencies_hz <= axes.get_xlim()[1]
    axes.plot(spectrum.frequencies_hz[shown], spectrum.values[shown], color=INK, linewidth=0.8, zorder=2)
    axes.set_ylim(0, HEADROOM * float(spectrum.values[shown].max()) or 1.0)


def _mark(axes: Sequence[Axes], lanes: Sequence[Lane]) -> None:
    """Draw the lines; beside the velocity only those that lie beyond it, for the others could not be told apart."""
    beyond_hz = axes[0].get_xlim()[1]
    draw_lines(axes[0], lanes)
    for each in axes[1:]:
        draw_lines(each, [lane.above(beyond_hz) for lane in lanes])
