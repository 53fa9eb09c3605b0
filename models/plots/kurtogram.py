"""In which band impulses stand out, as a map."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from andon.models.messages.catalogue import Catalogue
from andon.models.plots.canvas import HEAT, VERMILION, entitle, name_axes, new_figure, png
from andon.models.plots.fonts import Lettering, lettering
from andon.models.plots.waterfall import scale
from andon.models.vibration.kurtogram import Kurtogram

HEIGHT_IN = 4.5


def kurtogram_plot(kurtogram: Kurtogram, rate_hz: float, name: str, catalogue: Catalogue) -> bytes:
    """Draw the kurtosis of each band, the bands of one width in a row, and frame the highest.

    Parameters
    ----------
    rate_hz
        Samples a second of the record.
    name
        What the record is called.

    Returns
    -------
    bytes
        A PNG file.
    """
    return png(kurtogram_figure(kurtogram, rate_hz, name, lettering(catalogue)))


def kurtogram_figure(kurtogram: Kurtogram, rate_hz: float, name: str, letters: Lettering) -> Figure:
    """Draw as ``kurtogram_plot`` does, with the given lettering, and leave the rendering to the caller."""
    figure = new_figure(HEIGHT_IN)
    entitle(figure, (_conclusion(kurtogram, letters), name), letters)
    axes = figure.add_subplot()
    rows, columns = kurtogram.values.shape
    image = axes.pcolormesh(
        np.linspace(0, rate_hz / 2, columns + 1), np.arange(rows + 1) - 0.5, kurtogram.values, cmap=HEAT
    )
    axes.invert_yaxis()
    axes.add_patch(_frame(kurtogram, rate_hz))
    name_axes(axes, letters, letters.text("plot.frequency"), letters.text("plot.bandwidth"))
    axes.set_yticks(range(rows), [f"{width:.0f}" for width in rate_hz / 2 / 2**kurtogram.levels])
    scale(figure.colorbar(image, ax=axes), letters.text("plot.kurtosis"), letters)
    return figure


def _conclusion(kurtogram: Kurtogram, letters: Lettering) -> str:
    low, high = (f"{hz:,.0f}" for hz in (kurtogram.best.low_hz, kurtogram.best.high_hz))
    return letters.text("plot.best_band", low=low, high=high, kurtosis=f"{kurtogram.kurtosis:.2g}")


def _frame(kurtogram: Kurtogram, rate_hz: float) -> Rectangle:
    """Around the best band in the row of its width."""
    row = int(np.abs(kurtogram.levels - np.log2(rate_hz / 2 / kurtogram.bandwidth_hz)).argmin())
    place = (kurtogram.best.low_hz, row - 0.5)
    return Rectangle(place, kurtogram.bandwidth_hz, 1, fill=False, edgecolor=VERMILION, linewidth=2.5)
