"""Cut one sensor's blocks into windows: in order, without gaps inside, whatever the network did to them."""

import zlib
from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from andon.models.stream.windows import (
    Counters,
    Fingerprint,
    Head,
    Snapshot,
    StreamEvent,
    StreamEventKind,
    StreamOptions,
    Timeline,
)
from andon.models.types.errors import Param
from andon.models.types.moments import unix_us, utc
from andon.models.types.vibration import BearingOrders, Samples, Signal, Unit

Item = Snapshot | StreamEvent

_RECENT = 64
"""Blocks known by their fingerprint: what a gateway sends again after it lost its connection for a minute."""

_CHECKED = 16
"""Samples of a block that its checksum covers: noise differs in the first, and a flat line is told by its time."""

_LAST_YEAR = 9999
_LONGEST_S = 86_400.0
"""A block longer than a day, or at the end of the calendar, has a wrong rate or time rather than that many samples."""

_SECOND_US = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Samples with the time of the first, in microseconds since 1970."""

    start_us: int
    samples: Samples
    rate_hz: float
    unit: Unit
    rpm: float | None
    orders: BearingOrders | None

    @property
    def end_us(self) -> int:
        return self.start_us + _us(len(self.samples), self.rate_hz)

    def after(self, count: int) -> "_Block":
        """The rest, without the first ``count`` samples; a copy once most of what it is a view of has gone."""
        rest = self.samples[count:]
        kept = rest.copy() if 2 * len(rest) < _owned(rest) else rest
        return replace(self, start_us=self.start_us + _us(count, self.rate_hz), samples=kept)


class Assembler:
    """Cuts the blocks of one sensor at one asset into windows.

    A window starts where an unbroken run of samples starts, and then every ``hop`` samples. A block that fits the end
    of the last one is cut at once; one that leaves something out waits ``lateness_s`` for what is missing, measured by
    the newest sample or by ``advance``. Blocks are kept as they are given and never written to.

    Parameters
    ----------
    counters
        Counts here; many assemblers may share one.
    """

    def __init__(self, asset: str, sensor: str, options: StreamOptions, counters: Counters) -> None:
        self._asset, self._sensor = asset, sensor
        self._options = options
        self._counters = counters
        self._recent: OrderedDict[int, Fingerprint] = OrderedDict()
        self._form: tuple[float, Unit] | None = None
        self._restart()

    def _restart(self) -> None:
        self._pending: list[_Block] = []
        self._run: deque[_Block] = deque()
        self._held = 0
        self._waiting = 0
        self._skip = 0
        self._end_us: int | None = None
        self._newest_us: int | None = None
        self._late_in_row = 0
        self._late_end_us = 0

    @property
    def samples_kept(self) -> int:
        """Samples that wait for a window to fill or for a block to come."""
        return self._held + self._waiting

    def push(self, block: Signal) -> list[Item]:
        """Take a block of any length, in any order.

        Returns
        -------
        The snapshots that it completes, in order of time, and what befell the stream.
        """
        reason = refusal(block)
        if reason:
            self._counters.refused += 1
            return [StreamEvent(StreamEventKind.REFUSED, self._asset, self._sensor, None, {"reason": reason})]
        return [*self._reform(block), *self._take(_placed(block))]

    def advance(self, now_us: int) -> list[Item]:
        """Stop waiting for blocks older than ``lateness_s`` before ``now_us``, microseconds since 1970."""
        return list(self._release(now_us)) if self._pending else []

    def finish(self) -> list[Item]:
        """Stop waiting altogether: the stream has ended."""
        items: list[Item] = []
        while self._pending:
            items += self._consume(self._first_pending())
        return items

    def drop(self) -> int:
        """Give up all samples, counting them, and return how many those were."""
        count = self.samples_kept
        self._counters.dropped += count
        self._restart()
        return count

    def timeline(self) -> Timeline | None:
        """Say how far it is; None where nothing has been cut yet."""
        if self._form is None or self._end_us is None:
            return None
        rate_hz, unit = self._form
        resume_us = (self._run[0].start_us if self._run else self._end_us) + _us(self._skip, rate_hz)
        # A block that the next window needs is not known again, so that it can be repeated.
        recent = tuple(each for each in self._recent.values() if each.start_us + _us(each.n, rate_hz) <= resume_us)
        return Timeline(self._asset, self._sensor, rate_hz, unit, resume_us, recent)

    def resume(self, timeline: Timeline) -> None:
        """Go on from a saved state."""
        self._form = timeline.rate_hz, timeline.unit
        self._end_us = self._newest_us = timeline.resume_us
        self._recent = OrderedDict((each.start_us, each) for each in timeline.recent)

    def _reform(self, block: Signal) -> Iterator[Item]:
        """Start anew where the rate or the unit is another than before."""
        form = (block.rate_hz, block.unit)
        before, self._form = self._form, form
        if before is None or before == form:
            return
        yield from self.finish()
        self.drop()
        yield StreamEvent(StreamEventKind.FORMAT, self._asset, self._sensor, block.time, _formats(form, before))

    def _take(self, block: _Block) -> Iterator[Item]:
        fingerprint = _fingerprint(block)
        if self._recent.get(block.start_us) == fingerprint:
            self._counters.duplicates += 1
            return
        if self._end_us is not None and self._offset(block) <= -len(block.samples):
            yield from self._set_aside(block)
            return
        self._late_in_row = 0
        self._remember(fingerprint)
        self._newest_us = max(self._newest_us or block.end_us, block.end_us)
        if self._end_us is not None and self._offset(block) <= 0:
            yield from self._consume(block)
        else:
            insort(self._pending, block, key=lambda each: each.start_us)
            self._waiting += len(block.samples)
        yield from self._release(self._newest_us)

    def _set_aside(self, block: _Block) -> Iterator[Item]:
        """Leave out a block whose place has passed, or believe the clock once it has said so often enough."""
        ascends = self._late_in_row > 0 and block.start_us >= self._late_end_us - self._tolerance_us(block)
        self._late_in_row = self._late_in_row + 1 if ascends else 1
        self._late_end_us = block.end_us
        if self._late_in_row < self._options.restart_after:
            self._counters.late += 1
            behind_s = ((self._end_us or 0) - block.end_us) / _SECOND_US
            yield self._event(StreamEventKind.LATE, block.start_us, seconds=round(behind_s, 3))
            return
        behind_s = ((self._end_us or 0) - block.start_us) / _SECOND_US
        yield from self.finish()
        self.drop()
        self._recent.clear()
        self._counters.clocks += 1
        yield self._event(StreamEventKind.CLOCK, block.start_us, seconds=round(behind_s, 3))
        yield from self._take(block)

    def _release(self, now_us: int) -> Iterator[Item]:
        """Cut what fits now, what has waited long enough, and what there is no room to keep."""
        due_us = now_us - _us(self._options.lateness_s, 1.0)
        while self._pending:
            first = self._pending[0]
            fits = self._end_us is not None and self._offset(first) <= 0
            if not fits and first.start_us > due_us:
                if self.samples_kept <= self._options.max_samples:
                    return
                self._counters.overflows += 1
                yield self._event(StreamEventKind.OVERFLOW, first.start_us, limit=self._options.max_samples)
            yield from self._consume(self._first_pending())

    def _first_pending(self) -> _Block:
        first = self._pending.pop(0)
        self._waiting -= len(first.samples)
        return first

    def _consume(self, block: _Block) -> Iterator[Item]:
        """Append a block whose turn it is to the run, less what the run has already, and cut windows."""
        offset = 0 if self._end_us is None else self._offset(block)
        if offset > 0:
            yield self._break(block, offset)
        elif -offset >= len(block.samples):
            self._counters.duplicates += 1
            return
        self._append(block.after(-offset) if offset < 0 else block)
        self._end_us = block.end_us
        yield from self._cut()

    def _break(self, block: _Block, missing: int) -> StreamEvent:
        self._counters.gaps += 1
        self._counters.dropped += self._held
        self._run.clear()
        self._held = self._skip = 0
        return self._event(StreamEventKind.GAP, block.start_us, seconds=round(missing / block.rate_hz, 6))

    def _append(self, block: _Block) -> None:
        if self._skip:
            skipped = min(self._skip, len(block.samples))
            self._skip -= skipped
            block = block.after(skipped)
        if len(block.samples):
            self._run.append(block)
            self._held += len(block.samples)

    def _cut(self) -> Iterator[Item]:
        while self._held >= self._options.window:
            first = self._run[0]
            time = utc(first.start_us)
            head = Head(self._asset, self._sensor, time, first.rate_hz, first.unit, first.rpm, first.orders)
            self._counters.snapshots += 1
            yield Snapshot(head, self._window())
            self._leave(self._options.hop)

    def _window(self) -> Samples:
        size = self._options.window
        first = self._run[0].samples
        if len(first) >= size:
            return first[:size]
        pieces, count = [], 0
        for block in self._run:
            pieces.append(block.samples[: size - count])
            count += len(pieces[-1])
            if count == size:
                break
        return np.concatenate(pieces)

    def _leave(self, count: int) -> None:
        """Let go of the first ``count`` samples, also of those that are still to come."""
        while count and self._run:
            first = self._run.popleft()
            gone = min(count, len(first.samples))
            count -= gone
            self._held -= gone
            if gone < len(first.samples):
                self._run.appendleft(first.after(gone))
        self._skip = count

    def _offset(self, block: _Block) -> int:
        """How many samples the block starts after the end of the run: 0 within the tolerance, negative for an overlap."""
        distance_us = block.start_us - (self._end_us or 0)
        if abs(distance_us) <= self._tolerance_us(block):
            return 0
        return round(distance_us * block.rate_hz / _SECOND_US)

    def _tolerance_us(self, block: _Block) -> float:
        half_block_us = len(block.samples) / block.rate_hz * _SECOND_US / 2
        return min(self._options.tolerance_s * _SECOND_US, half_block_us)

    def _remember(self, fingerprint: Fingerprint) -> None:
        self._recent[fingerprint.start_us] = fingerprint
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def _event(self, kind: StreamEventKind, start_us: int, **params: Param) -> StreamEvent:
        return StreamEvent(kind, self._asset, self._sensor, utc(start_us), params)


def refusal(block: Signal) -> str:
    """Name the field for which a block cannot be used; empty where it can."""
    if block.time is None or block.time.tzinfo is None or not 1970 <= block.time.year < _LAST_YEAR:
        return "time"
    if block.samples.ndim != 1 or not len(block.samples):
        return "samples"
    return "" if 0 < block.rate_hz < np.inf and block.duration_s < _LONGEST_S else "rate_hz"


def _placed(block: Signal) -> _Block:
    assert block.time is not None
    return _Block(unix_us(block.time), block.samples, block.rate_hz, block.unit, block.rpm, block.orders)


def _fingerprint(block: _Block) -> Fingerprint:
    samples = block.samples
    spread = samples[:: max(len(samples) // _CHECKED, 1)]
    return Fingerprint(block.start_us, len(samples), zlib.crc32(spread.tobytes()))


def _formats(found: tuple[float, Unit], before: tuple[float, Unit]) -> dict[str, Param]:
    return {"found": f"{found[0]:g} Hz, {found[1]}", "before": f"{before[0]:g} Hz, {before[1]}"}


def _us(count: float, rate_hz: float) -> int:
    return round(count / rate_hz * _SECOND_US)


def _owned(view: Samples) -> int:
    """Samples of the array that ``view`` keeps alive."""
    base = view.base
    return base.size if isinstance(base, np.ndarray) else view.size
