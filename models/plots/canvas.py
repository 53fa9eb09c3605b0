"""What all pictures share: their size, colours and titles."""

from bisect import bisect_left
from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from andon.models.plots.fonts import Lettering

DPI = 150
WIDTH_IN = 7.2
"""The width of A4 paper within its margins; at ``DPI``, 1,080 pixels: the width of most phones."""
TITLE_PT, LABEL_PT, MARK_PT = 11.0, 10.0, 8.5
"""On paper as in print; on a phone held upright, 2.7 inches wide, the smallest is still 3 points high and can be enlarged."""
INK, GREY = "#222222", "#777777"
BLUE, VERMILION, GREEN, PURPLE, ORANGE = "#0072b2", "#c45500", "#00805d", "#a85689", "#e69f00"
"""Told apart by readers with any of the common kinds of colour blindness (Okabe and Ito, Color Universal Design, 2008); all that
are used for text, that is all but orange, darkened where white behind them would leave less contrast than 4.5 to 1 (WCAG 2.1,
criterion 1.4.3)."""
HEAT = "cividis"
"""A colour map that reads the same for them and in grey (Nunez, Anderton and Renslow, PLoS ONE 13, 2018)."""
HEADROOM = 1.3
"""The highest line ends below the top by this factor: a level is written above it."""
PAD_IN = 0.04
ELLIPSIS = "…"
_TITLE_SHARE = 0.97
_TITLE_X = 0.015


def new_figure(height_in: float) -> Figure:
    """Start a picture of the usual width."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", h_pad=PAD_IN, w_pad=2 * PAD_IN, hspace=0, wspace=0)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """Render a picture. The same picture gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def entitle(figure: Figure, lines: Sequence[str], lettering: Lettering) -> None:
    """Write the title; lines that are too long lose their middle, since both ends of a name matter."""
    text = "\n".join(shortened(figure, line, lettering) for line in lines if line)
    figure.suptitle(
        text, x=_TITLE_X, ha="left", size=TITLE_PT, color=INK, family=list(lettering.fonts), parse_math=False
    )


def shortened(figure: Figure, line: str, lettering: Lettering) -> str:
    """Cut out of the middle of a title's line what does not fit on the picture."""
    shown = lettering.name(line)
    room = _TITLE_SHARE * figure.bbox.width

    def fits(left_out: int) -> bool:
        return _width(figure, _without_middle(shown, left_out), lettering) <= room

    return _without_middle(shown, bisect_left(range(len(shown)), True, key=fits))


def name_axes(axes: Axes, lettering: Lettering, x: str = "", y: str = "") -> None:
    """Write what the axes show, and give the ticks the same letters."""
    axes.set_xlabel(x, family=list(lettering.fonts), size=LABEL_PT, color=INK)
    axes.set_ylabel(y, family=list(lettering.fonts), size=LABEL_PT, color=INK)
    axes.tick_params(labelsize=LABEL_PT - 1, labelfontfamily=list(lettering.fonts), colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0)


def explain(figure: Figure, lettering: Lettering, columns: int = 1) -> None:
    """Put the legend below, where it hides nothing, if anything has a label."""
    handles = [handle for axes in figure.axes for handle in axes.get_legend_handles_labels()[0]]
    if not handles:
        return
    prop = {"family": list(lettering.fonts), "size": MARK_PT}
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, prop=prop)


def say_instead(axes: Axes, text: str, lettering: Lettering) -> None:
    """Say why there is nothing to draw."""
    axes.text(
        0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, family=list(lettering.fonts), size=LABEL_PT,
        color=INK, wrap=True,
    )  # fmt: skip


def joined(*parts: str) -> str:
    """Join what is known to one line.

    >>> joined("pump 3", "", "drive end")
    'pump 3 · drive end'
    """
    return " · ".join(part for part in parts if part)


def _without_middle(text: str, left_out: int) -> str:
    """The text, or its ends around an ellipsis.

    >>> _without_middle("record.wav", 5)
    'rec…av'
    """
    if left_out == 0:
        return text
    kept = len(text) - left_out
    end = kept // 2
    return text[: kept - end] + ELLIPSIS + text[len(text) - end :]


def _width(figure: Figure, line: str, lettering: Lettering) -> float:
    """Width of a title's line in pixels."""
    text = Text(0, 0, line, size=TITLE_PT, family=list(lettering.fonts), parse_math=False, figure=figure)
    return text.get_window_extent(figure.canvas.get_renderer()).width  # type: ignore[attr-defined]
