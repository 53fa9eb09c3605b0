"""How a score or an indicator developed, with its limit, what the machine did and which alerts were given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from andon.models.alerts.case import AlertEvent
from andon.models.health.operating import STOPPED, TRANSIENT, UNKNOWN
from andon.models.health.watching import Phase
from andon.models.messages.catalogue import Catalogue
from andon.models.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    HEADROOM,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    entitle,
    explain,
    name_axes,
    new_figure,
    png,
)
from andon.models.plots.fonts import Lettering, lettering
from andon.models.plots.moments import Days, breaks, days_of, show_time, usual_step
from andon.models.vibration.integration import Values

HEIGHT_IN = 4.0
LEGEND_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class TrendEvent:
    """An alert that was given on the machine."""

    time: datetime
    event: AlertEvent


@dataclass(frozen=True, slots=True)
class _Shade:
    code: str
    colour: str
    hatch: str


SHADES: Mapping[str, _Shade] = {
    STOPPED: _Shade("plot.stopped", GREY, ""),
    TRANSIENT: _Shade("plot.transient", ORANGE, "///"),
    Phase.LEARNING: _Shade("plot.learning", BLUE, "\\\\\\"),
    UNKNOWN: _Shade("plot.not_measured", PURPLE, "xxx"),
}
"""States in which nothing is judged; hatched, so that they are told apart in grey."""
_MARKS: Mapping[AlertEvent, tuple[str, str, str, str]] = {
    AlertEvent.RAISED: ("plot.raised", VERMILION, "v", "-"),
    AlertEvent.ESCALATED: ("plot.escalated", PURPLE, "^", "-"),
    AlertEvent.REMINDER: ("plot.reminder", GREY, "d", ":"),
    AlertEvent.CLEARED: ("plot.cleared", GREEN, "o", "--"),
}


def trend_plot(
    times: Sequence[datetime],
    values: Sequence[float],
    thresholds: Sequence[float],
    states: Sequence[str],
    events: Sequence[TrendEvent],
    name: str,
    catalogue: Catalogue,
) -> bytes:
    """Draw values over time.

    Parameters
    ----------
    times
        ``[n]``, ascending, each with its zone; at least one. Where they are more than three usual steps apart, the line is broken.
    values
        ``[n]``; not a number where there is none.
    thresholds
        ``[n]``, the limit at each time; not a number where there is none.
    states
        ``[n]``, what the machine did at each time: a key of ``SHADES``, any other name for a state in which it is judged.
    events
        Alerts, each marked at its time.
    name
        What the values are, with their unit, and of which machine.

    Returns
    -------
    bytes
        A PNG file.
    """
    return png(trend_figure(times, values, thresholds, states, events, name, lettering(catalogue)))


def trend_figure(
    times: Sequence[datetime],
    values: Sequence[float],
    thresholds: Sequence[float],
    states: Sequence[str],
    events: Sequence[TrendEvent],
    name: str,
    letters: Lettering,
) -> Figure:
    """Draw as ``trend_plot`` does, with the given lettering, and leave the rendering to the caller."""
    figure = new_figure(HEIGHT_IN)
    entitle(figure, (name,), letters)
    axes = figure.add_subplot()
    days = days_of(times)
    _draw_line(axes, days, np.asarray(values, dtype=np.float64), BLUE, "-", letters.text("plot.value"))
    _draw_line(axes, days, np.asarray(thresholds, dtype=np.float64), INK, "--", letters.text("plot.limit"))
    axes.set_xlim(days[0] - usual_step(days) / 2, days[-1] + usual_step(days))
    axes.set_ylim(0, HEADROOM * _highest(values, thresholds))
    _shade(axes, days, states, letters)
    _mark(axes, events, letters)
    name_axes(axes, letters, letters.text("plot.time"))
    show_time(axes.xaxis)
    explain(figure, letters, LEGEND_COLUMNS)
    return figure


def unbroken(days: Days, values: Values) -> tuple[Days, Values]:
    """Put something that is not a number where data are missing, so that no line is drawn across."""
    after = breaks(days) + 1
    return np.insert(days, after, np.nan), np.insert(values, after, np.nan)


def spans(days: Days, states: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Join neighbours of the same state: state, begin and end. A state holds until the next time, but not across a gap."""
    gaps = set(breaks(days).tolist())
    step = usual_step(days)
    ends = [days[i] + step if i in gaps or i + 1 == len(days) else days[i + 1] for i in range(len(days))]
    runs = np.cumsum([i > 0 and (states[i] != states[i - 1] or i - 1 in gaps) for i in range(len(days))])
    for _, run in groupby(range(len(days)), key=lambda i: int(runs[i])):
        members = list(run)
        yield states[members[0]], float(days[members[0]]), float(ends[members[-1]])


def _draw_line(axes: Axes, days: Days, values: Values, colour: str, line: str, label: str) -> None:
    """Draw a line; points that have no neighbour to be joined with get a dot."""
    if not np.isfinite(values).any():
        return
    x, y = unbroken(days, np.where(np.isfinite(values), values, np.nan))
    padded = np.isnan(np.concatenate([[np.nan], y, [np.nan]]))
    lone = ~padded[1:-1] & padded[:-2] & padded[2:]
    axes.plot(x, y, color=colour, linestyle=line, linewidth=1.4, marker=".", markevery=lone, label=label)


def _highest(*series: Sequence[float]) -> float:
    found = np.concatenate([np.asarray(each, dtype=np.float64) for each in series])
    return float(found[np.isfinite(found)].max(initial=0.0)) or 1.0


def _shade(axes: Axes, days: Days, states: Sequence[str], letters: Lettering) -> None:
    explained: set[str] = set()
    for state, begin, end in spans(days, states):
        if state not in SHADES:
            continue
        shade = SHADES[state]
        label = "" if state in explained else letters.text(shade.code)
        explained.add(state)
        axes.axvspan(begin, end, color=shade.colour, alpha=0.25, hatch=shade.hatch, linewidth=0, label=label)


def _mark(axes: Axes, events: Sequence[TrendEvent], letters: Lettering) -> None:
    for kind, (code, colour, marker, line) in _MARKS.items():
        days = days_of([event.time for event in events if event.event is kind])
        for day in days:
            axes.axvline(day, color=colour, linestyle=line, linewidth=1.2)
        if len(days):
            top = axes.get_xaxis_transform()
            axes.plot(
                days, [0.96] * len(days), marker, color=colour, markersize=8, transform=top, label=letters.text(code)
            )
