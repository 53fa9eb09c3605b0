"""Times, and where data are missing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from andon.models.plots.moments import LONE_STEP_DAYS, breaks, days_of, show_time, usual_step

START = datetime(2025, 3, 1, tzinfo=UTC)


def hours(*places: float) -> list[datetime]:
    return [START + timedelta(hours=place) for place in places]


def test_days_are_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert days_of([datetime(1970, 1, 2, 8, tzinfo=shanghai)]).tolist() == [1.0]


def test_a_gap_is_more_than_three_usual_steps() -> None:
    assert breaks(days_of(hours(0, 1, 2, 4.9, 6, 7, 10.1, 11))).tolist() == [5]
    assert breaks(days_of(hours(0))).tolist() == []


def test_the_usual_step_is_not_moved_by_gaps() -> None:
    assert usual_step(days_of(hours(0, 1, 2, 100, 101))) == pytest.approx(1 / 24)
    assert usual_step(days_of(hours(0))) == LONE_STEP_DAYS
    assert usual_step(days_of(hours(0, 0, 0, 1))) == pytest.approx(1 / 24)
    assert usual_step(days_of(hours(0, 0))) == LONE_STEP_DAYS


@settings(max_examples=25, deadline=None)
@example(7.2, datetime(2025, 1, 1))
@example(8.5, datetime(2025, 1, 1))
@given(st.floats(-1, 9.5), st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_any_span_has_a_few_dates_in_figures(log_seconds: float, start: datetime) -> None:
    """From a tenth of a second to a century; a span without a suitable step would be a warning, and those are errors here."""
    axes = Figure(figsize=(7, 4)).add_subplot()
    begin = days_of([start.replace(tzinfo=UTC)])[0]
    axes.set_xlim(begin, begin + 10**log_seconds / 86_400)
    show_time(axes.xaxis)
    labels = axes.xaxis.get_major_formatter().format_ticks(axes.get_xticks().tolist())
    assert 1 <= len(labels) <= 12
    assert not any(letter.isalpha() for letter in "".join(labels))
