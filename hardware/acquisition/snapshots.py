"""Snapshots out of sensors that never stop: what comes between two snapshots is let go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from andon.hardware.acquisition.schedule import SnapshotSchedule
from andon.models.stream.windows import StreamOptions
from andon.models.types.errors import OptionError
from andon.models.types.vibration import Signal, SignalSource

_SEAMLESS_S = StreamOptions().tolerance_s

Channel = tuple[str, str]
"""Asset and sensor."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a channel is with its snapshot: when its next sample is due, and how many seconds are still to come."""

    due: datetime
    left_s: float


class ScheduledSensors:
    """A ``SignalSource`` that delivers snapshots of another one, whole blocks of it: never shorter than asked.

    Each time the schedule says so, every channel delivers the next ``duration_s`` that have no gap. Of a channel, two numbers are
    kept and no samples.

    Parameters
    ----------
    duration_s
        Length of a snapshot in seconds.
    """

    def __init__(self, source: SignalSource, schedule: SnapshotSchedule, duration_s: float) -> None:
        if not duration_s > 0:
            raise OptionError("acquisition.not_positive", "duration_s", found=duration_s)
        self._source = source
        self._schedule = schedule
        self._duration_s = duration_s
        self._begun = False
        self._channels: dict[Channel, _Progress] = {}
        """Those that have delivered something of the snapshot that was asked for last."""

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def blocks(self) -> Iterator[Signal]:
        """Deliver the blocks that belong to snapshots; one without a time belongs to none."""
        for block in self._source.blocks():
            if self._schedule.take():
                self._begun = True
                self._channels.clear()
            if block.time is not None and self._is_wanted(block, block.time):
                yield block

    def _is_wanted(self, block: Signal, time: datetime) -> bool:
        progress = self._channels.get((block.asset, block.sensor))
        left_s = self._left_s(progress, time)
        if left_s <= 0:
            return False
        due = time + timedelta(seconds=block.duration_s)
        left_s -= block.duration_s
        # Less than half a sample is the rounding of sums.
        left_s = 0.0 if left_s < 0.5 / block.rate_hz else left_s
        self._channels[block.asset, block.sensor] = _Progress(due, left_s)
        return True

    def _left_s(self, progress: _Progress | None, time: datetime) -> float:
        if progress is None:
            return self._duration_s if self._begun else 0.0
        if progress.left_s > 0 and abs((time - progress.due).total_seconds()) > _SEAMLESS_S:
            return self._duration_s  # what began is cut off by a gap
        return progress.left_s
