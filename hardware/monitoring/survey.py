"""What a set of records holds, before it is streamed: how long they are, and how often they were taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from andon.datasets.vibration.hints import RecordHints
from andon.datasets.vibration.records import read_blocks
from andon.hardware.acquisition.record_folder import BLOCK_S, Report
from andon.models.types.errors import RecordError

LEAST_SHARE = 0.5
"""Of the median number of samples: a shorter record is left out, or it alone would set how long every snapshot is."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Records that can be streamed together.

    Parameters
    ----------
    paths
        Those that can be read and are long enough, in their order; may be empty.
    samples, rate_hz
        Of the shortest among them.
    interval_s
        The median time from a record of a sensor to its next, where records carry times; else 0.
    """

    paths: tuple[Path, ...] = ()
    samples: int = 0
    rate_hz: float = 1.0
    interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    samples: int
    rate_hz: float
    sensor: tuple[str, str]
    time: datetime | None


def survey(paths: Sequence[Path], hints: RecordHints, report: Report) -> Survey:
    """Read all records once, a block at a time.

    Parameters
    ----------
    report
        Told of each record that cannot be read, or is much shorter than the others.
    """
    found = [each for path in paths if (each := _look_at(path, hints, report))]
    if not found:
        return Survey()
    least = LEAST_SHARE * median(each.samples for each in found)
    for each in found:
        if each.samples < least:
            report(each.path, RecordError("monitor.short", str(each.path), found=each.samples, expected=round(least)))
    kept = [each for each in found if each.samples >= least]
    shortest = min(kept, key=lambda each: each.samples)
    return Survey(tuple(each.path for each in kept), shortest.samples, shortest.rate_hz, _interval_s(kept))


def _look_at(path: Path, hints: RecordHints, report: Report) -> _Found | None:
    samples = 0
    first = None
    try:
        for block in read_blocks(path, hints, BLOCK_S):
            samples += len(block.samples)
            first = first or _Found(path, 0, block.rate_hz, (block.asset, block.sensor), block.time)
    except RecordError as error:
        report(path, error)
        return None
    return first and _Found(path, samples, first.rate_hz, first.sensor, first.time)


def _interval_s(found: Sequence[_Found]) -> float:
    times: dict[tuple[str, str], list[datetime]] = {}
    for each in found:
        if each.time:
            times.setdefault(each.sensor, []).append(each.time)
    steps = [
        (later - sooner).total_seconds() for listed in times.values() for sooner, later in pairwise(sorted(listed))
    ]
    return median(steps) if steps else 0.0
