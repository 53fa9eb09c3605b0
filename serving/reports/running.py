"""How long a machine ran, and where nothing is known of it: pure functions of snapshots."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from andon.datasets.store.assets import Snapshot

LONGEST = timedelta(hours=2)
"""How long a snapshot speaks for the machine where no other follows: twice the hourly rhythm of most wireless sensors."""


@dataclass(frozen=True, slots=True)
class Hours:
    """How long a machine ran, stood, and how long nobody knows; together the whole stretch of time."""

    running: float
    stopped: float
    unknown: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time from which there is no data."""

    since: datetime
    until: datetime


def hours_of(snapshots: Sequence[Snapshot], since: datetime, until: datetime, longest: timedelta = LONGEST) -> Hours:
    """Add up the time for which snapshots say that the machine ran or stood.

    A snapshot counts until the next that says so, at most ``longest``. Of several at one moment one that ran wins: another sensor
    may be at a part that stands.
    """
    said: dict[datetime, bool] = {}
    for each in snapshots:
        if each.running is not None:
            said[each.time] = said.get(each.time, False) or each.running
    ends = [*said, until][1:]
    spans = [
        (ran, min(end, start + longest, until) - start) for (start, ran), end in zip(said.items(), ends, strict=True)
    ]
    ran_h = _hours(span for ran, span in spans if ran)
    stood_h = _hours(span for ran, span in spans if not ran)
    return Hours(ran_h, stood_h, max(0.0, _hours([until - since]) - ran_h - stood_h))


def gaps_of(snapshots: Sequence[Snapshot], since: datetime, until: datetime, longest: timedelta = LONGEST) -> list[Gap]:
    """Find where nothing came from any sensor for more than ``longest``, the longest stretch first."""
    times = [since, *(each.time for each in snapshots), until]
    return sorted(
        (Gap(start, end) for start, end in pairwise(times) if end - start > longest),
        key=lambda gap: gap.since - gap.until,
    )


def _hours(spans: Iterable[timedelta]) -> float:
    return sum(spans, timedelta()) / timedelta(hours=1)
