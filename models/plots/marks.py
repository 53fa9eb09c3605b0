"""Marks at the frequencies where a machine's parts show: rows above a spectrum, lines through it, rings around what was found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from andon.models.plots.canvas import INK, MARK_PT
from andon.models.plots.fonts import Lettering
from andon.models.types.vibration import Evidence
from andon.models.vibration.spectra import Spectrum

LANE_IN = 0.2
"""Height of a row of marks: a line of text in the small size, with its leading."""
NAME_SHARE = 0.025
"""Share of the axis that a mark takes with its number."""
LEVEL_SHARE = 0.075
"""The same for a level such as "17 dB"."""
LINES_NAMED = 4
"""How many of the lines found the legend lists: as many as a bearing's comb has teeth."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The harmonics at which one part shows.

    Parameters
    ----------
    name
        What the row is called.
    harmonics
        Numbers of the harmonics; the first of them is at ``fundamental_hz`` times that number.
    line
        How its lines are drawn: a part is told by it where there are no colours.
    strong
        Whether this is the part that the diagnosis names.
    """

    name: str
    fundamental_hz: float
    harmonics: tuple[int, ...]
    colour: str
    line: str
    strong: bool = False

    @property
    def frequencies_hz(self) -> tuple[float, ...]:
        """Frequency of each harmonic."""
        return tuple(number * self.fundamental_hz for number in self.harmonics)

    def above(self, frequency_hz: float) -> "Lane":
        """The same part with only the harmonics above a frequency."""
        return replace(self, harmonics=tuple(n for n in self.harmonics if n * self.fundamental_hz > frequency_hz))


def axes_under_rows(figure: Figure, lanes: Sequence[Lane], panels: int = 1) -> tuple[list[Axes], Axes | None]:
    """Divide a picture: axes for spectra, and above the first of them, with the same frequencies, axes for the rows if there are any."""
    if not lanes:
        return [figure.add_subplot(panels, 1, number) for number in range(1, panels + 1)], None
    rows_in = room_for(lanes)
    panel_in = (figure.get_figheight() - rows_in) / panels
    grid = figure.add_gridspec(1 + panels, height_ratios=(rows_in, *[panel_in] * panels))
    below = [figure.add_subplot(grid[1 + number]) for number in range(panels)]
    return below, figure.add_subplot(grid[0], sharex=below[0])


def draw_rows(axes: Axes, lanes: Sequence[Lane], lettering: Lettering) -> None:
    """Draw a row of numbered marks for each part, with its name at the left and its frequency at the right.

    ``axes`` must have its limits in frequency already.
    """
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(lanes)), [lane.name for lane in lanes], family=list(lettering.fonts), size=MARK_PT)
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.spines[:].set_visible(False)
    for row, (lane, label) in enumerate(zip(lanes, axes.get_yticklabels(), strict=True)):
        label.set_color(lane.colour)
        label.set_fontweight("bold" if lane.strong else "normal")
        _draw_row(axes, row, lane, lettering)


def draw_lines(axes: Axes, lanes: Sequence[Lane]) -> None:
    """Draw a line through the spectrum at each harmonic that lies on it."""
    for lane in lanes:
        for frequency_hz in within(axes, lane.frequencies_hz):
            axes.axvline(
                frequency_hz,
                color=lane.colour,
                linestyle=lane.line,
                linewidth=1.3 if lane.strong else 0.9,
                alpha=0.9 if lane.strong else 0.55,
                zorder=1,
            )


def ring(axes: Axes, evidence: Sequence[Evidence], spectrum: Spectrum, width: float, lettering: Lettering) -> None:
    """Put a ring around each line found, its level over the background above where there is room, and the strongest into the legend.

    Parameters
    ----------
    width
        Share of its frequency within which the highest line of the spectrum is meant.
    """
    found = sorted((line for line in evidence if within(axes, [line.frequency_hz])), key=lambda line: line.frequency_hz)
    if not found:
        return
    places = [line.frequency_hz for line in found]
    tops = [_top_near(spectrum, place, width) for place in places]
    label = lines_found(found, lettering)
    axes.plot(places, tops, "o", markersize=8, fillstyle="none", color=INK, markeredgewidth=1.4, zorder=4, label=label)
    for line in roomy(found, LEVEL_SHARE * _span(axes)):
        _write(axes, f"{line.level_db:.0f} dB", (line.frequency_hz, tops[found.index(line)]), lettering)


def within(axes: Axes, frequencies_hz: Sequence[float]) -> list[float]:
    """Those frequencies that lie on the axis."""
    low, high = axes.get_xlim()
    return [hz for hz in frequencies_hz if low <= hz <= high]


def roomy(lines: Sequence[Evidence], distance_hz: float) -> list[Evidence]:
    """The strongest line, and of the others, strongest first, those that are ``distance_hz`` from all taken before."""
    taken: list[Evidence] = []
    for line in sorted(lines, key=lambda line: -line.level_db):
        if all(abs(line.frequency_hz - other.frequency_hz) >= distance_hz for other in taken):
            taken.append(line)
    return taken


def lines_found(evidence: Sequence[Evidence], lettering: Lettering) -> str:
    """List the strongest of the lines found, in the sequence of their frequencies."""
    strongest = sorted(evidence, key=lambda line: -line.level_db)[:LINES_NAMED]
    listed = sorted(strongest, key=lambda line: line.frequency_hz)
    lines = ", ".join(f"{line.frequency_hz:.4g} Hz {line.level_db:.0f} dB" for line in listed)
    return lettering.text("plot.lines_found", lines=lines)


def room_for(lanes: Sequence[Lane]) -> float:
    """Height in inches of the rows."""
    return LANE_IN * len(lanes)


def _draw_row(axes: Axes, row: int, lane: Lane, lettering: Lettering) -> None:
    places = within(axes, lane.frequencies_hz)
    style: dict[str, Any] = {"va": "center", "family": list(lettering.fonts), "color": lane.colour}
    axes.plot(places, [row] * len(places), "|", color=lane.colour, markersize=9, markeredgewidth=1.6)
    for place, number in _numbers(lane, places, NAME_SHARE * _span(axes)):
        axes.annotate(number, (place, row), (3, 0), textcoords="offset points", size=MARK_PT - 1, **style)
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    beyond = "" if places else " →"
    axes.text(1.01, row, f"{lane.fundamental_hz:.4g} Hz{beyond}", transform=beside, size=MARK_PT, **style)


def _numbers(lane: Lane, places: Sequence[float], room: float) -> list[tuple[float, str]]:
    """What is written beside the marks: each one's number, or all of them after the last where they stand too close."""
    numbers = [str(number) for number, _ in zip(lane.harmonics, places, strict=False)]
    if all(after - before >= room for before, after in pairwise(places)):
        return list(zip(places, numbers, strict=True))
    return [(places[-1], f"{numbers[0]}–{numbers[-1]}")]


def _write(axes: Axes, text: str, place: tuple[float, float], lettering: Lettering) -> None:
    """Write just above a place, readable over whatever is there."""
    axes.annotate(
        text,
        place,
        (0, 7),
        textcoords="offset points",
        ha="center",
        va="bottom",
        size=MARK_PT,
        family=list(lettering.fonts),
        color=INK,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        zorder=3.5,
    )


def _top_near(spectrum: Spectrum, frequency_hz: float, width: float) -> float:
    place = round(frequency_hz / spectrum.resolution_hz)
    reach = round(width * frequency_hz / spectrum.resolution_hz)
    return float(spectrum.values[max(0, place - reach) : place + reach + 1].max(initial=0.0))


def _span(axes: Axes) -> float:
    low, high = axes.get_xlim()
    return high - low
