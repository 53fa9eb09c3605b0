"""A sensor's clock against the box's: its offset and drift from when its blocks arrive, and the time of each block by the box's clock.

A block arrives after it ends, by a delay that varies and is never negative. So ``arrival - end by the sensor's clock`` lies on or above a
straight line whose height is the offset (with the shortest delay) and whose slope is the drift. That line is the one below all points that
is nearest to them in sum of vertical distances, which is the edge of their lower convex hull over their mean: S. B. Moon, P. Skelly,
D. Towsley, "Estimation and removal of clock skew from network delay measurements", IEEE INFOCOM 1999. Of each stretch of time only the
least delayed arrival is kept, as V. Paxson, "On calibrating measurements of packet transit times", ACM SIGMETRICS 1998, does.

Offsets are counted on the box's monotonic clock. When its wall clock is set, only the name of the time changes and nothing is
estimated anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic

from andon.models.stream.windows import StreamOptions

_LONGEST_S = 10 * 365 * 86_400.0
"""Nothing is held up for longer: ten years, which can be taken from any time of the box."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by both clocks of the box: one that never jumps, in seconds, and UTC."""

    monotonic_s: float
    utc: datetime


def box_moment() -> Moment:
    """Read both clocks."""
    return Moment(monotonic(), datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """How a clock is followed.

    Parameters
    ----------
    segment_s, segments
        Of each segment the least delayed arrival is kept, for so many segments: 64 of 10 s, so that the line follows a crystal that
        warms up.
    span_s
        The drift is taken for 0 until arrivals span this long: a jitter of 10 ms over 60 s is 170 ppm.
    max_drift_ppm
        Faster is not believed: crystals keep within 100, and with ``slew_s`` a block of a second stays seamless. A faster clock is followed
        by its offset.
    jump_s
        What arrives this much beside the line comes from a clock that was set, or was held up on its way.
    confirm
        So many that are beside it in a row, and agree, show that the clock was set: as many as the stream engine wants.
    slew_s
        By how much the times of two blocks may be moved against each other: half of what the stream engine takes for seamless.
    """

    segment_s: float = 10.0
    segments: int = 64
    span_s: float = 60.0
    max_drift_ppm: float = 300.0
    jump_s: float = 1.0
    confirm: int = StreamOptions().restart_after
    slew_s: float = StreamOptions().tolerance_s / 2


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a block ended by the sensor's clock, and by how much later it arrived by the box's monotonic one; seconds both."""

    end_s: float
    behind_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """What the box's monotonic clock is ahead of the sensor's: ``offset_s`` at the sensor's ``at_s``, and its growth."""

    at_s: float
    offset_s: float
    drift_ppm: float = 0.0

    def at(self, sensor_s: float) -> float:
        """Return the offset at a time of the sensor's clock."""
        return self.offset_s + 1e-6 * self.drift_ppm * (sensor_s - self.at_s)


@dataclass(frozen=True, slots=True)
class ClockState:
    """What is remembered of a sensor's clock.

    Parameters
    ----------
    kept
        The least delayed arrivals.
    beside
        Arrivals beside the line that nothing has explained yet.
    stamped
        The line by which the last block got its time.
    """

    kept: tuple[Arrival, ...] = ()
    line: Line | None = None
    stamped: Line | None = None
    beside: tuple[Arrival, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a block began by the box's clock in UTC; ``was_set`` where its sensor's clock was set or started anew."""

    time: datetime
    drift_ppm: float
    was_set: bool = False


def stamp(
    settings: ClockSettings, state: ClockState, start_s: float, duration_s: float, arrived: Moment
) -> tuple[ClockState, Stamp]:
    """Take a block into account, and say when it began.

    A block that was held up gets the time at which it was taken. One that comes before it can have been taken, by a clock that
    nobody has seen set yet, ends when it arrives.

    Parameters
    ----------
    start_s, duration_s
        When the block began by the sensor's clock, in seconds from any beginning, and how long it lasts.
    """
    arrival = Arrival(start_s + duration_s, arrived.monotonic_s - start_s - duration_s)
    if state.line is None or state.stamped is None:
        return _restarted(arrival, duration_s, arrived, was_set=False)
    behind_s = arrival.behind_s - state.line.at(arrival.end_s)
    if abs(behind_s) <= settings.jump_s:
        kept = _kept(settings, state.kept, arrival)
        line = state.line if kept is state.kept else lower_line(kept, settings)
        stamped = _slewed(settings, state.stamped, line, arrival.end_s)
        return ClockState(kept, line, stamped), _stamp(arrival, stamped, duration_s, arrived)
    beside = (*state.beside, arrival)[-settings.segments :]
    if len(beside) >= settings.confirm and _agree(beside):
        return _restarted(arrival, duration_s, arrived, was_set=True)
    if behind_s < 0:
        at_arrival = replace(state.line, at_s=arrival.end_s, offset_s=arrival.behind_s)
        return replace(state, beside=beside), _stamp(arrival, at_arrival, duration_s, arrived)
    stamped = _slewed(settings, state.stamped, state.line, arrival.end_s)
    return replace(state, beside=beside, stamped=stamped), _stamp(arrival, stamped, duration_s, arrived)


def lower_line(kept: Sequence[Arrival], settings: ClockSettings) -> Line:
    """Lay the line below the arrivals; at least one.

    >>> line = lower_line([Arrival(0.0, 5.0), Arrival(100.0, 5.5), Arrival(200.0, 5.02)], ClockSettings())
    >>> round(line.at(100.0), 6), round(line.drift_ppm, 6)
    (5.01, 100.0)
    """
    if kept[-1].end_s - kept[0].end_s < settings.span_s:
        lowest = min(kept, key=lambda each: each.behind_s)
        return Line(lowest.end_s, lowest.behind_s)
    middle_s = sum(each.end_s for each in kept) / len(kept)
    left, right = next(edge for edge in pairwise(_lower_hull(kept)) if edge[1].end_s >= middle_s)
    drift_ppm = 1e6 * (right.behind_s - left.behind_s) / (right.end_s - left.end_s)
    return Line(left.end_s, left.behind_s, max(-settings.max_drift_ppm, min(drift_ppm, settings.max_drift_ppm)))


def _restarted(arrival: Arrival, duration_s: float, arrived: Moment, *, was_set: bool) -> tuple[ClockState, Stamp]:
    line = Line(arrival.end_s, arrival.behind_s)
    state = ClockState((arrival,), line, line)
    return state, replace(_stamp(arrival, line, duration_s, arrived), was_set=was_set)


def _stamp(arrival: Arrival, line: Line, duration_s: float, arrived: Moment) -> Stamp:
    delay_s = min(arrival.behind_s - line.at(arrival.end_s), _LONGEST_S)
    return Stamp(arrived.utc - timedelta(seconds=delay_s + duration_s), line.drift_ppm)


def _kept(settings: ClockSettings, kept: tuple[Arrival, ...], arrival: Arrival) -> tuple[Arrival, ...]:
    """Add an arrival where it is the first of its segment or the least delayed; what is older than the last is not in order."""
    last = kept[-1]
    if arrival.end_s // settings.segment_s > last.end_s // settings.segment_s:
        return (*kept, arrival)[-settings.segments :]
    if arrival.end_s > last.end_s and arrival.behind_s < last.behind_s:
        return (*kept[:-1], arrival)
    return kept


def _slewed(settings: ClockSettings, stamped: Line, line: Line, end_s: float) -> Line:
    """Move the line that gives times towards the one that is estimated, as slowly as keeps blocks seamless.

    A block that is older than the last has its place already.
    """
    if end_s <= stamped.at_s:
        return stamped
    before_s = stamped.offset_s + 1e-6 * line.drift_ppm * (end_s - stamped.at_s)
    step_s = line.at(end_s) - before_s
    return Line(end_s, before_s + max(-settings.slew_s, min(step_s, settings.slew_s)), line.drift_ppm)


def _agree(beside: Sequence[Arrival]) -> bool:
    """Whether a clock that was set explains them: they are behind alike, whereas what was held up catches up."""
    behind_s = [each.behind_s for each in beside]
    return max(behind_s) - min(behind_s) <= 0.5 * (beside[-1].end_s - beside[0].end_s)


def _lower_hull(kept: Sequence[Arrival]) -> list[Arrival]:
    """Andrew's monotone chain; the arrivals are in order of time."""
    hull: list[Arrival] = []
    for each in kept:
        while len(hull) > 1 and _rise(hull[-2], each) <= _rise(hull[-2], hull[-1]):
            hull.pop()
        hull.append(each)
    return hull


def _rise(left: Arrival, right: Arrival) -> float:
    return (right.behind_s - left.behind_s) / (right.end_s - left.end_s)
