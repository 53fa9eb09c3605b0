"""Spectra over time as an image."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from numpy.typing import NDArray

from andon.models.messages.catalogue import Catalogue
from andon.models.plots.canvas import HEAT, INK, LABEL_PT, entitle, name_axes, new_figure, png
from andon.models.plots.fonts import Lettering, lettering
from andon.models.plots.moments import Days, breaks, days_of, show_time, usual_step
from andon.models.vibration.integration import Values

HEIGHT_IN = 5.0
RANGE_DB = 60.0
"""From the highest down: what a sensor of 16 bits on a machine leaves above its own noise is about that."""
MAX_COLUMNS, MAX_ROWS = 360, 280
"""Of cells: each is then at least two pixels wide and high. Of what shares a cell the highest is drawn, so that no line vanishes."""
_NOWHERE = "#eeeeee"

Amplitudes = NDArray[np.float64]
"""``[n, m]``, float64."""


def waterfall_plot(
    times: Sequence[datetime], frequencies_hz: Values, amplitudes: Amplitudes, name: str, catalogue: Catalogue
) -> bytes:
    """Draw spectra over time, in dB below the highest line.

    Parameters
    ----------
    times
        ``[n]``, ascending, each with its zone; at least one. Where they are more than three usual steps apart, the image is empty.
    frequencies_hz
        ``[m]``, equally spaced, at least two.
    amplitudes
        ``[n, m]`` in any one unit; not a number where there is none.
    name
        What the spectra are of.

    Returns
    -------
    bytes
        A PNG file.
    """
    return png(waterfall_figure(times, frequencies_hz, amplitudes, name, lettering(catalogue)))


def waterfall_figure(
    times: Sequence[datetime], frequencies_hz: Values, amplitudes: Amplitudes, name: str, letters: Lettering
) -> Figure:
    """Draw as ``waterfall_plot`` does, with the given lettering, and leave the rendering to the caller."""
    figure = new_figure(HEIGHT_IN)
    entitle(figure, (name,), letters)
    axes = figure.add_subplot()
    level_db = pooled(pooled(_below_highest(amplitudes), MAX_COLUMNS, axis=1), MAX_ROWS, axis=0)
    days = days_of(times)[:: _together(len(times), MAX_ROWS)]
    edges, rows = with_gaps(days, level_db)
    columns = frequencies_hz[:: _together(len(frequencies_hz), MAX_COLUMNS)]
    image = axes.pcolormesh(
        np.append(columns, 2 * frequencies_hz[-1] - frequencies_hz[-2]), edges, rows, cmap=HEAT, vmin=-RANGE_DB, vmax=0
    )
    axes.set_facecolor(_NOWHERE)
    name_axes(axes, letters, letters.text("plot.frequency"), letters.text("plot.time"))
    show_time(axes.yaxis)
    scale(figure.colorbar(image, ax=axes), letters.text("plot.below_highest"), letters)
    return figure


def scale(bar: Colorbar, text: str, letters: Lettering) -> None:
    """Say what the colours mean."""
    bar.set_label(text, family=list(letters.fonts), size=LABEL_PT, color=INK)
    bar.ax.tick_params(labelsize=LABEL_PT - 1, labelfontfamily=list(letters.fonts), colors=INK)


def pooled(values: Amplitudes, most: int, axis: int) -> Amplitudes:
    """Keep the highest of as many neighbours as are needed to have at most ``most`` along ``axis``; ``[n, m]``.

    >>> pooled(np.array([[1.0, 5.0, 2.0]]), 2, axis=1)
    array([[5., 2.]])
    """
    starts = np.arange(0, values.shape[axis], _together(values.shape[axis], most))
    highest: Amplitudes = np.fmax.reduceat(values, starts, axis=axis)
    return highest


def with_gaps(days: Days, rows: Amplitudes) -> tuple[Days, Amplitudes]:
    """Edges of the rows, with empty ones where data are missing: ``[k + 1]`` and ``[k, m]``.

    A row holds until the next one, but not across a gap.
    """
    after = breaks(days)
    step = usual_step(days)
    edges = np.insert(days, after + 1, days[after] + step)
    return np.append(edges, days[-1] + step), np.insert(rows, after + 1, np.nan, axis=0)


def _together(n: int, most: int) -> int:
    """How many neighbours share one of at most ``most`` cells."""
    return -(-n // most)


def _below_highest(amplitudes: Amplitudes) -> Amplitudes:
    highest = np.nanmax(amplitudes, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level: Amplitudes = 20 * np.log10(amplitudes / highest)
    return np.where(np.isneginf(level), -RANGE_DB, level)
