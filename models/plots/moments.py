"""Time axes: in UTC and in figures alone, which read the same in all languages."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from numpy.typing import NDArray

GAP_STEPS = 3
"""Data are missing where the next ones come after more than this many usual steps: one lost snapshot is none, and two may be chance."""
LONE_STEP_DAYS = 1 / 24
"""How long a single snapshot is taken to stand for: an hour, a usual interval of measurement."""
MIN_TICKS, MAX_TICKS = 3, 8
"""Eight dates are as many as fit beside each other; with three as the least, each span from a second to centuries has a step."""

Days = NDArray[np.float64]
"""``[n]``, float64: days since 1970-01-01 in UTC, matplotlib's unit of time."""

_FORMATS = ("%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S")
_OFFSETS = ("", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d")


def days_of(times: Sequence[datetime]) -> Days:
    """Convert times, each with its zone, to days."""
    return np.asarray(date2num([time.astimezone(UTC) for time in times]), dtype=np.float64)  # type: ignore[no-untyped-call]


def usual_step(days: Days) -> float:
    """Median distance of two moments in days, those at the same time left out."""
    steps = np.diff(days)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else LONE_STEP_DAYS


def breaks(days: Days) -> NDArray[np.intp]:
    """Indices of the moments after which data are missing."""
    return np.flatnonzero(np.diff(days) > GAP_STEPS * usual_step(days))


def show_time(axis: Axis) -> None:
    """Label an axis in days as dates and times of the day."""
    locator = AutoDateLocator(tz=UTC, minticks=MIN_TICKS, maxticks=MAX_TICKS)  # type: ignore[no-untyped-call]
    axis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, tz=UTC, formats=_FORMATS, zero_formats=_FORMATS, offset_formats=_OFFSETS
    )
    axis.set_major_formatter(formatter)
