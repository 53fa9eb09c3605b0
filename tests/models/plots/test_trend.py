"""Values over time."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from andon.models.alerts.case import AlertEvent
from andon.models.health.operating import NOT_JUDGED
from andon.models.health.watching import Phase
from andon.models.messages.catalogue import catalogue
from andon.models.plots.canvas import DPI, WIDTH_IN, png
from andon.models.plots.fonts import Lettering
from andon.models.plots.moments import days_of
from andon.models.plots.trend import HEIGHT_IN, SHADES, TrendEvent, spans, trend_figure, trend_plot, unbroken

START = datetime(2025, 3, 1, tzinfo=UTC)


def hours(*places: float) -> list[datetime]:
    return [START + timedelta(hours=place) for place in places]


def drawn(letters: Lettering, **changed: Any) -> Axes:
    arguments: dict[str, Any] = {
        "times": hours(*range(6)),
        "values": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "thresholds": [5.0] * 6,
        "states": ["running"] * 6,
        "events": [],
        "name": "score",
    }
    (axes,) = trend_figure(**(arguments | changed), letters=letters).axes
    return axes


def line(axes: Axes, label: str) -> Line2D:
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return found


def shades(axes: Axes) -> list[tuple[str, float, float]]:
    """Label, begin and end in hours."""
    begin = days_of([START])[0]
    boxes = [(str(patch.get_label()), patch.get_window_extent()) for patch in axes.patches]
    inverse = axes.transData.inverted()
    return [
        (label, *(round(24 * (inverse.transform((x, 0))[0] - begin), 3) for x in (box.x0, box.x1)))
        for label, box in boxes
    ]


def test_values_and_limits_stand_at_their_times(english: Lettering) -> None:
    limits = [5.0, 5.0, 5.5, 6.0, 6.0, 6.0]
    axes = drawn(english, thresholds=limits)
    assert np.asarray(line(axes, "value").get_xdata()).tolist() == days_of(hours(*range(6))).tolist()
    assert np.asarray(line(axes, "value").get_ydata()).tolist() == [1, 2, 3, 4, 5, 6]
    assert np.asarray(line(axes, "limit").get_ydata()).tolist() == limits
    assert axes.get_ylim()[1] > 6


def test_the_line_is_broken_where_data_are_missing(english: Lettering) -> None:
    axes = drawn(english, times=hours(0, 1, 2, 10, 11, 12), values=[1, 2, np.nan, 4, np.inf, 6])
    values = np.asarray(line(axes, "value").get_ydata())
    assert np.array_equal(values, [1, 2, np.nan, np.nan, 4, np.nan, 6], equal_nan=True)


def test_a_point_without_neighbours_is_a_dot(english: Lettering) -> None:
    axes = drawn(english, values=[1, 2, np.nan, 4, np.nan, 6])
    marked = line(axes, "value").get_markevery()
    assert np.flatnonzero(np.asarray(marked)).tolist() == [3, 5]


def test_nothing_is_inserted_without_a_gap() -> None:
    days, values = unbroken(np.arange(4.0), np.arange(4.0))
    assert days.tolist() == values.tolist() == [0, 1, 2, 3]


def test_a_state_holds_until_the_next_time_but_not_across_a_gap() -> None:
    days = np.array([0.0, 1.0, 2.0, 3.0, 10.0, 11.0])
    states = ["stopped", "stopped", "running", "stopped", "stopped", "learning"]
    assert list(spans(days, states)) == [
        ("stopped", 0, 2),
        ("running", 2, 3),
        ("stopped", 3, 4),
        ("stopped", 10, 11),
        ("learning", 11, 12),
    ]


def test_states_in_which_nothing_is_judged_are_shaded(english: Lettering) -> None:
    axes = drawn(english, states=["learning", "stopped", "stopped", "transient", "running/rpm:1", "stopped"])
    assert shades(axes) == [
        ("learning", 0, 1),
        ("stopped", 1, 3),
        ("changing speed or load", 3, 4),
        ("", 5, 6),
    ]


def test_each_state_without_a_judgement_has_a_shade() -> None:
    assert SHADES.keys() == NOT_JUDGED | {Phase.LEARNING}


def test_alerts_are_marked_at_their_time(english: Lettering) -> None:
    events = [TrendEvent(when, kind) for when, kind in zip(hours(1, 2, 3, 4), AlertEvent, strict=True)]
    events.append(TrendEvent(hours(5)[0], AlertEvent.RAISED))
    axes = drawn(english, events=events)
    assert np.asarray(line(axes, "alert raised").get_xdata()).tolist() == days_of(hours(1, 5)).tolist()
    assert np.asarray(line(axes, "alert cleared").get_xdata()).tolist() == days_of(hours(4)).tolist()
    upright = [each for each in axes.lines if np.array_equal(each.get_ydata(), [0, 1])]
    assert len(upright) == len(events)
    assert len({line(axes, label).get_marker() for label in ("alert raised", "alert cleared", "reminder")}) == 3


def test_the_legend_explains_what_is_there_and_no_more(english: Lettering) -> None:
    figure = drawn(english, states=["stopped", "running", "stopped", "running", "running", "running"]).figure
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["value", "limit", "stopped"]


@pytest.mark.parametrize("n", [1, 5])
def test_nothing_measured_is_still_a_picture(letters: Lettering, n: int) -> None:
    nothing = [np.nan] * n
    axes = drawn(letters, times=hours(*range(n)), values=nothing, thresholds=nothing, states=["stopped"] * n)
    assert not axes.lines
    assert png(axes.figure)  # type: ignore[arg-type]


def test_both_languages_show_every_character(letters: Lettering) -> None:
    events = [TrendEvent(START, kind) for kind in AlertEvent]
    figure = drawn(letters, states=[*SHADES, "running", "running"], events=events, name="score " * 60).figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    assert len(figure.legends[0].get_texts()) == 2 + len(SHADES) + len(AlertEvent)


def test_equal_trends_give_equal_pictures() -> None:
    arguments: Any = (hours(0, 1), [1.0, 2.0], [3.0, 3.0], ["running"] * 2, [], "score", catalogue("en"))
    first, second = (trend_plot(*arguments) for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).size == (round(WIDTH_IN * DPI), round(HEIGHT_IN * DPI))
