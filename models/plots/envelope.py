"""The spectrum in which bearings show: how often impacts repeat."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from andon.models.messages.catalogue import Catalogue
from andon.models.plots.canvas import (
    BLUE,
    GREEN,
    HEADROOM,
    INK,
    LABEL_PT,
    MARK_PT,
    ORANGE,
    PURPLE,
    VERMILION,
    entitle,
    explain,
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
    marked_bearing,
    names_line,
    shaft_hz,
)
from andon.models.types.vibration import Diagnosis, Fault, Machine, Signal
from andon.models.vibration.bearing_faults import fault_fundamentals
from andon.models.vibration.comb import SEARCH
from andon.models.vibration.envelope import MAX_BAND_HZ, modulation_spectrum, record_envelope
from andon.models.vibration.spectra import BACKGROUND_HZ, Spectrum, background

HEIGHT_IN = 4.3
SHOWN_MULTIPLE = 5
"""The picture ends at this multiple of the highest fault frequency: all the teeth of its comb and the background beyond the last."""
TYPICAL_ORDER = 5.0
"""Of the inner race of common ball bearings of eight or nine balls (6205: 5.4, 6308: 4.9): the picture's end where no bearing is known."""
NO_SPEED_TOP_HZ = 1000.0
"""Its end where no speed is known either: the inner race's fourth harmonic at 3,000 rpm."""

PART_CODES: Mapping[Fault, str] = {
    Fault.OUTER_RACE: "plot.outer_race",
    Fault.INNER_RACE: "plot.inner_race",
    Fault.ROLLING_ELEMENT: "plot.rolling_element",
    Fault.CAGE: "plot.cage",
}
_STYLES: Mapping[Fault, tuple[str, str]] = {
    Fault.OUTER_RACE: (BLUE, "--"),
    Fault.INNER_RACE: (VERMILION, "-."),
    Fault.ROLLING_ELEMENT: (GREEN, ":"),
    Fault.CAGE: (PURPLE, "-"),
}


def envelope_plot(
    signal: Signal, machine: Machine, diagnosis: Diagnosis, catalogue: Catalogue, name: str = ""
) -> bytes:
    """Draw the squared envelope spectrum with the frequencies at which damage of a bearing shows.

    Parameters
    ----------
    signal
        The record that was diagnosed. Values that are not finite, or too few, give a picture that says so.
    diagnosis
        Of this record: its speed places the marks, its evidence is ringed.
    catalogue
        The reader's language; without a font for Chinese the picture is in English.
    name
        What the record is called, such as its file.

    Returns
    -------
    bytes
        A PNG file.
    """
    return png(envelope_figure(signal, machine, diagnosis, lettering(catalogue), name))


def envelope_figure(
    signal: Signal, machine: Machine, diagnosis: Diagnosis, letters: Lettering, name: str = ""
) -> Figure:
    """Draw as ``envelope_plot`` does, with the given lettering, and leave the rendering to the caller."""
    part = diagnosed_part(signal)
    lanes = bearing_lanes(part, machine, diagnosis, letters)
    figure = new_figure(HEIGHT_IN + room_for(lanes))
    about = (conclusion(diagnosis, letters), names_line(signal, machine, name), doubt(diagnosis, letters))
    entitle(figure, about, letters)
    (axes,), rows = axes_under_rows(figure, lanes)
    axes.set_xlim(0, _top_hz(part, diagnosis, lanes))
    name_axes(axes, letters, letters.text("plot.frequency"), letters.text("plot.modulation"))
    if rows is not None:
        draw_rows(rows, lanes, letters)
    _add_orders(rows or axes, diagnosis, letters)
    if is_drawable(part, axes.get_xlim()[1]):
        _draw_spectrum(axes, part, diagnosis, lanes, letters)
        explain(figure, letters)
    else:
        say_instead(axes, letters.text("plot.nothing"), letters)
    return figure


def bearing_lanes(signal: Signal, machine: Machine, diagnosis: Diagnosis, letters: Lettering) -> list[Lane]:
    """List where each part of the bearing shows; nothing without a speed or a bearing."""
    bearing, turns_hz = marked_bearing(signal, machine, diagnosis), shaft_hz(diagnosis)
    if bearing is None or turns_hz is None:
        return []
    harmonics = tuple(range(1, SEARCH.harmonics + 1))
    return [
        Lane(letters.text(PART_CODES[fault]), order * turns_hz, harmonics, *_STYLES[fault], fault is diagnosis.fault)
        for fault, order in fault_fundamentals(bearing.orders).items()
    ]


def _draw_spectrum(axes: Axes, signal: Signal, diagnosis: Diagnosis, lanes: Sequence[Lane], letters: Lettering) -> None:
    spectrum = _envelope_spectrum(signal, axes.get_xlim()[1])
    label = letters.text("plot.background")
    level = background(spectrum, _background_hz(lanes))
    axes.plot(spectrum.frequencies_hz, spectrum.values, color=INK, linewidth=0.8, zorder=2)
    axes.plot(spectrum.frequencies_hz, level, color=ORANGE, linewidth=1.8, zorder=3, label=label)
    axes.set_ylim(0, HEADROOM * spectrum.values.max() or 1.0)
    draw_lines(axes, lanes)
    evidence = () if diagnosis.fault in SHAFT_FAULTS else diagnosis.evidence
    ring(axes, evidence, spectrum, 0.0, letters)


def _envelope_spectrum(signal: Signal, top_hz: float) -> Spectrum:
    """Modulation in per cent of the mean, up to ``top_hz``."""
    envelope = record_envelope(signal.samples, signal.rate_hz)
    shown = modulation_spectrum(envelope.squared)[: int(top_hz / envelope.resolution_hz) + 1].astype(np.float64)
    return Spectrum(np.arange(float(len(shown))) * envelope.resolution_hz, 100 * shown, "%")


def _top_hz(signal: Signal, diagnosis: Diagnosis, lanes: Sequence[Lane]) -> float:
    turns_hz = shaft_hz(diagnosis)
    otherwise_hz = SHOWN_MULTIPLE * TYPICAL_ORDER * turns_hz if turns_hz else NO_SPEED_TOP_HZ
    wanted_hz = SHOWN_MULTIPLE * max((lane.fundamental_hz for lane in lanes), default=otherwise_hz / SHOWN_MULTIPLE)
    return min(wanted_hz, signal.rate_hz / 4, MAX_BAND_HZ / 2)


def _background_hz(lanes: Sequence[Lane]) -> float:
    """Width of the running median: one fundamental of the part named, as in the search for it; else of the first part."""
    widths_hz = [lane.fundamental_hz for lane in sorted(lanes, key=lambda lane: not lane.strong)]
    return next(iter(widths_hz), BACKGROUND_HZ)


def _add_orders(axes: Axes, diagnosis: Diagnosis, letters: Lettering) -> None:
    """Add an axis in multiples of the shaft's speed, or say that nobody knows it."""
    turns_hz = shaft_hz(diagnosis)
    if turns_hz is None:
        axes.set_title(letters.text("plot.no_speed"), family=list(letters.fonts), size=MARK_PT, color=INK)
        return
    above = axes.secondary_xaxis(
        "top", functions=(lambda hz: np.asarray(hz) / turns_hz, lambda order: np.asarray(order) * turns_hz)
    )
    label = letters.text("plot.orders", rpm=f"{diagnosis.rpm:,.0f}")
    above.set_xlabel(label, family=list(letters.fonts), size=LABEL_PT, color=INK)
    above.tick_params(labelsize=LABEL_PT - 1, labelfontfamily=list(letters.fonts), colors=INK)
